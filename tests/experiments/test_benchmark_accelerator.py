"""The benchmark on an accelerator, rehearsed at tiny sizes."""

import json
import time

import pytest

from experiments.benchmark import (
  dcgan_cases,
  dcgan_torch,
  rounds,
  table,
  task,
)
from experiments.benchmark.accelerator import rows


@pytest.fixture
def rehearse(program, tmp_path):
  """`(match, *flags) -> code, rows, out, err` in one folder."""

  def run(match, *flags):
    code, out, err = program(
      'benchmark',
      '--accelerator',
      '--tiny',
      f'--match={match}',
      f'--workdir={tmp_path}/lent',
      *flags,
    )
    path = tmp_path / 'lent' / 'accelerator.json'
    found = json.loads(path.read_text())['rows'] if path.exists() else {}
    return code, found, out, err

  return run


def test_a_row_is_computed_once_and_stands_in_the_table(rehearse, tmp_path):
  code, found, out, err = rehearse('limits')
  assert code == 0, err
  assert found['limits']['state'] == 'done'
  side = found['limits']['sides']['product in bf16']
  # A product of 128x128 matrices.
  assert side['flops'] == 2 * 128**3
  assert side['flops_per_second'] == pytest.approx(128**3 * 2 / side['median'])
  assert len(side['seconds']) == 3
  assert found['limits']['rates']['bf16'] == side['flops_per_second']
  assert found['limits']['about']['hardware']
  assert 'A rehearsal at tiny sizes' in out
  assert '100.0%' in (tmp_path / 'lent' / 'accelerator.md').read_text()
  code, again, out, err = rehearse('limits')
  assert code == 0, err
  assert again == found
  assert '60 s at most' not in out
  # Numbers of a rehearsal do not stand beside those of a device.
  code, _, _, err = rehearse('limits', '--notiny')
  assert code == 1
  assert 'tiny: true there, false now' in err


def test_a_row_that_runs_out_of_time_says_so_and_is_tried_again(
  rehearse, monkeypatch
):
  shortened = [row._replace(seconds=0.5) for row in rows.ROWS]
  with monkeypatch.context() as patched:
    patched.setattr(rows, 'ROWS', shortened)
    code, found, _, err = rehearse('modulated')
  assert code == 0, err
  (row,) = found.values()
  assert row['state'] == 'out of time'
  assert row['sentence'] == 'It ran out of time after 1 s.'
  code, found, _, err = rehearse('modulated')
  (row,) = found.values()
  assert row['state'] == 'done', row
  assert set(row['sides']) == {'free of groups', 'by groups'}


def test_a_row_that_fails_says_why(rehearse, tmp_path):
  code, found, _, err = rehearse('at 512')
  assert code == 0, err
  row = found['style transfer at 512']
  assert row['sentence'] == (
    'It is left out: give --weights, --content, --style.'
  )
  gone = [f'--{name}={tmp_path}/gone' for name in ('weights', 'content')]
  code, found, _, err = rehearse('at 512', *gone, f'--style={tmp_path}/gone')
  assert code == 0, err
  row = found['style transfer at 512']
  assert row['state'] == 'failed'
  assert 'gone' in row['sentence']
  assert 'Traceback' in row['error']


def test_without_time_no_row_is_begun(rehearse):
  code, found, _, err = rehearse('steps together', '--minutes=0')
  assert code == 0, err
  assert {row['state'] for row in found.values()} == {'not begun'}


def test_a_side_that_fails_is_a_sentence_and_the_others_go_on():
  def fails():
    raise ValueError('no compiler\nand more')

  kept = []
  found = rounds.compare(
    task.Task(True, 0.0, kept.append),
    {
      'gone': fails,
      'here': lambda: rounds.Side(lambda: time.sleep(1e-3), 2, {}, 'bf16', 6e9),
    },
    8,
  )
  assert found['sides']['gone']['failed'] == 'ValueError: no compiler'
  side = found['sides']['here']
  assert side['examples_per_second'] == pytest.approx(8 / side['median'])
  assert side['flops_per_second'] == pytest.approx(6e9 / side['median'])
  # Though the time is over, there are rounds enough to tell the spread.
  assert len(side['seconds']) == 3
  row = found | {'sentence': 'Done.'}
  rates = {'sentence': '', 'rates': {'bf16': 2 * side['flops_per_second']}}
  settings = {'tiny': False, 'commit': 'abc', 'versions': {}}
  text = table.markdown({'limits': rates, 'steps': row}, settings)
  assert '50.0%' in text
  with pytest.raises(RuntimeError, match='No side can make a round'):
    rounds.compare(task.Task(True, 0.0, kept.append), {'gone': fails}, 8)


def test_tuning_does_not_change_what_pytorch_learns():
  torch = pytest.importorskip('torch', reason='torch is not installed')
  case = dcgan_cases.Case('small', 16, 1, 4, 0.0, steps=2, batch=4)
  images = dcgan_cases.batch(case)

  def learnt(**options):
    torch.manual_seed(0)
    return dcgan_torch.side(case, images, dcgan_torch.Options(**options)).run()

  assert learnt(tuned=True, channels_last=True) == pytest.approx(
    learnt(), rel=1e-5
  )
  assert learnt(shared=True) != pytest.approx(learnt(), rel=1e-5)
