"""The soak's own parts: what it draws, compares and counts, without a run."""

import importlib
import json
import os
import sys

import numpy as np
import pytest

from tests.soak import attacks, bench, fork_server, results

soak = importlib.import_module('tests.soak.__main__')


def test_a_trial_is_drawn_from_its_seed_and_number():
  drawn = [soak.drawn(0, number)[0] for number in range(60)]
  assert set(drawn) == set(attacks.ATTACKS)
  assert drawn.count('SIGKILL') == 40
  for seed, number in (0, 4), (1, 4), (0, 5):
    first, again = (soak.drawn(seed, number)[1].random() for _ in range(2))
    assert first == again
  assert soak.drawn(0, 4)[1].random() != soak.drawn(1, 4)[1].random()
  assert soak.drawn(0, 5, ['full disk', 'SIGKILL'])[0] == 'SIGKILL'


def leave(folder, **files):
  for name, text in files.items():
    path = folder / name.replace('_', '.')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
  return results.read(folder, folder)


def test_times_and_places_are_no_difference_and_all_else_is(tmp_path):
  values = {'loss': 0.5, 'seconds': 1.0, 'place': f'{tmp_path}/a/run'}
  other = values | {'seconds': 2.0, 'place': f'{tmp_path}/b/run'}
  left = leave(tmp_path / 'a', run_json=json.dumps(values), a_png='1', lock='')
  same = leave(tmp_path / 'b', run_json=json.dumps(other), a_png='1')
  (tmp_path / 'b' / 'x.damaged').mkdir()
  (tmp_path / 'b' / 'x.damaged' / 'y').touch()
  assert results.differing(left, same) == ''
  for name, text in (
    ('run_json', json.dumps(other | {'loss': 0.5000001})),
    ('a_png', '2'),
    ('b_png', ''),
  ):
    changed = leave(tmp_path / name, **{'run_json': '{}', name: text})
    assert results.differing(same, same | changed)
  missing = {name: own for name, own in left.items() if name != 'a.png'}
  assert 'a.png (missing)' in results.differing(left, missing)


@pytest.mark.parametrize(
  ('err', 'said'),
  [
    ('train: no space there\n', True),
    ('Warning: x\ntrain: no space there\n', True),
    ('', False),
    ('Segmentation fault\n', False),
    ('Traceback (most recent call last):\nOSError\ntrain: x\n', False),
  ],
)
def test_a_sentence_is_the_last_line_and_no_trace(err, said):
  assert bench.Ended(1, err).said == said


def test_a_process_that_is_killed_counts_and_one_that_hangs_is_broken(tmp_path):
  place = bench.Bench(tmp_path / 'bench', {})
  wait = [sys.executable, '-c', 'import time; time.sleep(60)']
  process = place.start('train', command=wait)
  assert place.kill(process, 'train, any') and place.kills == ['train, any']
  assert not place.kill(process, 'train, any') and len(place.kills) == 1
  with pytest.raises(bench.BrokenError, match='did not end within 0.2 seconds'):
    place.wait(place.start('train', command=wait), 0.2)


def test_a_fork_is_a_child_that_can_be_killed_and_waited_for(
  tmp_path, monkeypatch
):
  monkeypatch.setenv('PYTHONPATH', f'{tmp_path}')
  (tmp_path / 'own.py').write_text(
    'import os, sys, time\n'
    'print(sys.argv[1:], os.environ["OWN"], os.getcwd())\n'
    'time.sleep(float(sys.argv[1]))\n'
    'sys.exit(7)\n'
  )
  server = fork_server.ForkServer(bench.ROOT, ['json'])

  def start(seconds):
    return server.start(
      'own',
      [f'{seconds}'],
      tmp_path,
      {'OWN': 'x'},
      tmp_path / f'out{seconds}',
      tmp_path / 'err',
    )

  done, killed = start(0), start(60)
  assert done.wait(60) == 7, (tmp_path / 'err').read_text()
  os.killpg(killed.pid, 9)
  assert killed.wait(60) == -9 == killed.poll()
  assert (tmp_path / 'out0').read_text().startswith("['0'] x " + f'{tmp_path}')
  server.close()


def test_the_table_counts_what_survived(tmp_path):
  rows = soak.Rows(3, tmp_path)
  place = bench.Bench(tmp_path / 'bench', {})
  rows.count('SIGKILL', ['train, any', 'train, saving', 'train, any'], 'same')
  rows.count('full disk', [], 'sentence')
  words = rows.fail('full disk', 7, place, 'it hangs')
  assert "--attack 'full disk' --seed 3 --trial 7" in words
  lines = rows.table(60).splitlines()
  assert '| SIGKILL | 1 | 1 | 1 | 0 | 3 |' in lines
  assert '| full disk | 2 | 1 | 0 | 1 | 0 |' in lines
  assert '| changed data | 0 | not tried | | | |' in lines
  assert '| all | 3 | 2 | 1 | 1 | 3 |' in lines
  assert 'Kills: train, any 2; train, saving 1' in lines
  assert f'- {words}' in lines


def test_damage_changes_a_file(tmp_path):
  path = tmp_path / 'a'
  for trial in range(20):
    path.write_bytes(bytes(100))
    attacks._damage(path, np.random.default_rng(trial))
    assert path.read_bytes() != bytes(100)
