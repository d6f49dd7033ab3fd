"""Training through its public entry: `python -m experiments.train`."""

import functools
import json
import math
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image

from configs import progressive
from ganjax import parallel, steps
from ganjax.arrays import Batch
from ganjax.config import restore
from ganjax.data import images, loaders, order
from ganjax.files import FORMAT
from ganjax.players import Pair
from ganjax.training import cost, dispatch, loop, warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]

TINY = (
  '--config.data.resolution=16',
  '--config.batch_size=8',
  '--config.images=80',
  '--config.log.every=8',
  '--config.samples.every=40',
  '--config.checkpoint.every=24',
)
LABELS = '--config.labels=true'
DCGAN = (
  '--config=configs/dcgan.py',
  LABELS,
  '--config.generator.width=4',
  '--config.discriminator.width=4',
  *TINY,
)
# Ten steps in dispatches of 4, 4 and 2; half of the images mirrored.
DENSE = (
  '--config=configs/dense.py',
  '--config.generator.widths=(8,)',
  '--config.discriminator.widths=(8,)',
  '--config.steps_together=4',
  '--config.data.mirror=true',
  *TINY,
)


def small(preset):
  """The flags of a preset of growing or multi-scale networks."""
  style = ('--config.generator.style=8', '--config.generator.depth=1')
  return (
    f'--config=configs/{preset}',
    *(
      f'--config.{player}.{name}={value}'
      for player in ('generator', 'discriminator')
      for name, value in (('base', 32), ('max_channels', 4))
    ),
    *(style if 'style' in preset else ()),
    *(
      ('--config.growth.fade=8', '--config.growth.hold=8')
      if 'progressive' in preset
      else ()
    ),
    *TINY,
  )


def rows(folder):
  """The lines of metrics.jsonl, but for what they say of time."""
  lines = (folder / 'metrics.jsonl').read_text().splitlines()
  measured = [json.loads(line) for line in lines]
  for row in measured:
    assert row.pop('images_per_second') > 0
    assert row.pop('compile_seconds', 1) > 0
  return measured


def files(folder):
  return {p.name: p.read_bytes() for p in folder.glob('*') if p.is_file()}


def raw(leaf):
  key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
  return np.asarray(jax.random.key_data(leaf) if key else leaf)


def same_bits(left, right):
  assert jax.tree.structure(left) == jax.tree.structure(right)
  left, right = map(jax.tree_util.tree_leaves_with_path, (left, right))
  for (path, one), (_, other) in zip(left, right, strict=True):
    assert one.dtype == other.dtype
    assert raw(one).tobytes() == raw(other).tobytes(), path


def same_runs(left, right):
  """The two folders hold the same state, measurements and pictures."""
  same_bits(restore.last(left).state, restore.last(right).state)
  assert rows(left) == rows(right)
  assert files(left / 'samples') == files(right / 'samples')
  pictures = [(folder / 'samples.png').read_bytes() for folder in (left, right)]
  assert pictures[0] == pictures[1]


@pytest.fixture
def raise_after(monkeypatch):
  """`(step, *signals)`: they come when the next run has done `step` steps."""

  def arrange(step, *signals):
    def dispatches(*arguments):
      for yielded in dispatch.dispatches(*arguments):
        if yielded[-1] == step:
          for number in signals:
            signal.raise_signal(number)
        yield yielded

    monkeypatch.setattr(loop, 'dispatches', dispatches)

  yield arrange
  assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
  ('flags', 'loader', 'logged'),
  # The other loader shows the same images, so nothing else may differ.
  [
    (DCGAN, 'device', 4),
    (DENSE, 'host', 1),
    *(
      pytest.param((*small(preset), LABELS), 'host', 4, marks=pytest.mark.slow)
      for preset in (
        'progressive.py:digits',
        'msg.py:digits',
        'msg.py:style_digits',
      )
    ),
  ],
  ids=['dcgan', 'dense', 'progressive', 'msg', 'stylegan'],
)
def test_stopping_and_going_on_changes_no_bit(
  flags, loader, logged, program, tmp_path, raise_after
):
  flags = (*flags, '--config.images=64')
  code, out, err = program('train', *flags, f'--workdir={tmp_path}/whole')
  assert (code, err) == (0, '')
  assert 'Starting a new run.' in out and 'Done after 64 images.' in out

  command = (
    *flags,
    f'--config.data.loader={loader}',
    f'--workdir={tmp_path}/parts',
  )
  raise_after(4, signal.SIGTERM)
  code, out, err = program('train', *command)
  assert code == 75
  assert err.startswith('\nSIGTERM received: ') and err.count('\n') == 2
  assert 'Stopped by a signal after 32 of 64 images; the same command' in out
  assert len(rows(tmp_path / 'parts')) == logged
  raise_after(math.inf)
  code, out, err = program('train', *command)
  assert (code, err) == (0, '')
  assert 'Resuming after 32 images.' in out
  same_runs(tmp_path / 'whole', tmp_path / 'parts')


@pytest.mark.parametrize('preset', ['dense', 'progressive'])
def test_a_longer_run_is_that_of_its_length_from_the_start(
  preset, program, tmp_path
):
  """Growing ends at 64 of its images while the second stage is held."""
  flags = DENSE if preset == 'dense' else small('progressive.py:digits')
  whole, parts = tmp_path / 'whole', tmp_path / 'parts'
  assert program('train', *flags, f'--workdir={whole}')[0] == 0
  command = (*flags, f'--workdir={parts}')
  assert program('train', *command, '--config.images=64')[0] == 0
  code, out, err = program('train', *command)
  assert (code, err) == (0, '')
  assert 'Resuming after 64 images.' in out
  assert 'images was raised from 64 to 80.' in out
  left, right = (restore.last(folder).state for folder in (whole, parts))
  same_bits(left, right)
  history = json.loads((parts / 'run.json').read_text())['history']
  assert history == ['images was raised from 64 to 80.']
  # It is done, and says how it came to be again.
  code, out, _ = program('train', *command)
  assert code == 0 and 'images was raised from 64 to 80.' in out


def test_a_run_leaves_what_it_says(program, tmp_path):
  folder = tmp_path / 'of' / 'a run'
  code, out, _ = program('train', *DENSE, f'--workdir={folder}')
  assert code == 0
  left = {path.name for path in folder.iterdir()}
  assert {
    'config.json',
    'index.html',
    'metrics.jsonl',
    'samples.png',
    'samples',
    'checkpoints',
    'tensorboard',
  } <= left
  assert not [name for name in left if name.endswith('.tmp')]
  # What is missing is no result, but the record of where they come from.
  assert all(name in out for name in left - {'run.json', 'lock'})

  config = json.loads((folder / 'config.json').read_text())
  about = json.loads((folder / 'run.json').read_text())
  assert (config['format'], about['format']) == (FORMAT, FORMAT)
  assert config['data']['resolution'] == 16
  assert config['generator']['widths'] == [8]

  measured = rows(folder)
  assert [row['images'] for row in measured] == [32, 64, 80]
  for row in measured:
    assert set(row) == {
      'images',
      'loss/generator',
      'loss/discriminator',
      'logits/real',
      'logits/fake',
      'accuracy/real',
      'accuracy/fake',
      'gradient/generator',
      'gradient/discriminator',
    }
    assert np.isfinite(list(row.values())).all()

  # 64 samples of 16 pixels: before the first step, after 40 images or the
  # first dispatch behind them, and at the end.
  pictures = sorted((folder / 'samples').iterdir())
  assert [int(path.stem) for path in pictures] == [0, 64, 80]
  for path in pictures:
    with Image.open(path) as picture:
      assert min(picture.size) >= 8 * 16
  # Dispatches in which a multiple of 24 images was passed: steps 4, 8, 10.
  saved = {path.name for path in (folder / 'checkpoints').iterdir()}
  assert {name for name in saved if name.isdigit()} == {'4', '8', '10'}

  [events] = (folder / 'tensorboard').iterdir()
  assert logged(events)['loss/generator'] == {
    row['images']: pytest.approx(row['loss/generator']) for row in measured
  }
  assert set(logged(events)['samples']) == {0, 64, 80}

  # A run that is over stays as it is.
  before = files(folder)
  code, out, err = program('train', *DENSE, f'--workdir={folder}')
  assert (code, err) == (0, '')
  assert 'Done after 80 images.' in out and 'Compiled' not in out
  assert before == files(folder)

  # And it is not mixed with another.
  code, _, err = program(
    'train', *DENSE, '--config.log.every=16', f'--workdir={folder}'
  )
  assert code == 1
  assert err.endswith('What differs: log.every: 8 there, 16 now.\n')
  assert before == files(folder)


def logged(path):
  """What TensorBoard would read: `{tag: {step: value}}`."""
  from tensorboardX.proto.event_pb2 import Event

  found, data = {}, path.read_bytes()
  while data:
    # A record: length, checksum, event, checksum.
    length = int.from_bytes(data[:8], 'little')
    event = Event.FromString(data[12 : 12 + length])
    for value in event.summary.value:
      found.setdefault(value.tag, {})[event.step] = value.simple_value
    data = data[16 + length :]
  return found


def test_what_a_run_costs_is_said_once_and_what_compiling_took_is_kept(
  program, tmp_path
):
  # After the first dispatch of 4 steps, and 100 more of 8 images.
  flags = (
    *DENSE,
    '--config.images=960',
    '--config.log.every=480',
    '--config.checkpoint.every=960',
  )
  code, out, _ = program('train', *flags, f'--workdir={tmp_path}/run')
  assert code == 0
  [sentence] = re.findall(r'.* images a second .*', out)
  assert out.index(sentence) < out.index('Done after 960 images')
  pace, left, memory = re.fullmatch(
    r'([\d,.]+) images a second \([\d,]+ an hour\): ([\d.]+) minutes, or '
    r'0.0\d device-hours, to the end at this pace, \w+ memory ([\d.]+) GiB at '
    r'its peak\.',
    sentence,
  ).groups()
  pace = float(pace.replace(',', ''))
  assert float(left) == pytest.approx((960 - 832) / pace / 60, abs=0.051)
  assert 0.1 < float(memory) < 100
  lines = (tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()
  compiled = [json.loads(line).get('compile_seconds') for line in lines]
  assert compiled[0] > 0 and set(compiled[1:]) == {None}
  # What a step needs is said before it runs, and kept with what was held.
  [needs] = re.findall(r'Compiled 4 step\(s\) .*: (.*)\.\n', out)
  about = json.loads((tmp_path / 'run' / 'run.json').read_text())['memory']
  assert f'about {about["estimate"]["bytes"] / 2**30:.2f} GiB' in needs
  assert about['estimate']['flops'] > 0
  assert about['peak']['bytes'] > about['estimate']['bytes']
  [events] = (tmp_path / 'run' / 'tensorboard').iterdir()
  assert len(logged(events)['compile_seconds']) == 1


def test_each_stage_says_what_is_left_of_it(monkeypatch):
  clock = [0.0]
  ticking = types.SimpleNamespace(monotonic=lambda: clock[0])
  monkeypatch.setattr(cost, 'time', ticking)
  fade = dispatch.Phase('small', None, rows=16, steps=1000)
  hold, large = fade._replace(steps=99), fade._replace(step='large', rows=4)
  phases, said = (fade, hold, large), []
  tell = cost.announcer(phases, said.append)

  def go(phase, steps, seconds, together=10):
    clock[0] += seconds
    go.done += steps
    tell(phase, {'loss': np.zeros(together)}, go.done)

  go.done = 0
  go(fade, 10, 50.0)  # compiles
  for _ in range(9):
    go(fade, 10, 8.0)
  assert not said
  go(fade, 10, 8.0)
  # 1,600 images in 80 seconds; of 1,099 steps, 989 are left.
  [words] = said
  assert words.startswith(
    '20.0 images a second (72,000 an hour): 13.2 minutes, or 0.22 '
    'device-hours, to the end of this stage at this pace, '
  )
  for _ in range(89):
    go(fade, 10, 1.0)
  go(hold, 99, 1.0, together=99)
  assert len(said) == 1
  go(large, 10, 50.0)
  go(large, 5, 50.0, together=5)  # another program is measured anew
  go(large, 100, 40.0, together=5)
  # 400 images in 40 seconds; 885 steps of 4 are left.
  assert len(said) == 2
  assert said[1].startswith(
    '10.0 images a second (36,000 an hour): 5.9 minutes, or 0.10 '
    'device-hours, to the end at this pace, '
  )


def test_evaluations_are_no_part_of_the_pace(monkeypatch):
  clock = iter([0.0, 580.0])
  ticking = types.SimpleNamespace(monotonic=lambda: next(clock))
  monkeypatch.setattr(cost, 'time', ticking)
  phase, said = dispatch.Phase('step', None, rows=16, steps=300), []
  tell = cost.announcer((phase,), said.append)
  tell(phase, {'loss': np.zeros(1)}, 1, 0.0)
  tell(phase, {'loss': np.zeros(1)}, 101, 500.0)
  # 1,600 images in 80 seconds, and 199 steps are left.
  [words] = said
  assert words.startswith(
    '20.0 images a second (72,000 an hour): 2.7 minutes, '
  )


def test_the_length_of_the_paper_is_said_where_it_is_known(monkeypatch):
  clock = iter([0.0, 80.0])
  ticking = types.SimpleNamespace(monotonic=lambda: next(clock))
  monkeypatch.setattr(cost, 'time', ticking)
  phase, said = dispatch.Phase('step', None, rows=16, steps=300), []
  tell = cost.announcer((phase,), said.append, devices=4, paper_images=720_000)
  tell(phase, {'loss': np.zeros(1)}, 1)
  tell(phase, {'loss': np.zeros(1)}, 101)
  # 4,800 of 720,000 images; 36,000 seconds of four devices.
  assert said[1] == (
    'The run of the paper has 720,000 images; this one has 4,800, 0.667 % of '
    'them. At this pace the whole would take 10.0 hours, or 40.00 device-hours.'
  )
  assert cost.of_the_paper((phase,), 20.0, 1, 4800) == (
    'The run has 4,800 images, as many as that of the paper.'
  )
  assert progressive.get_config('paper1024').paper_images == 12_000_000


def test_a_dry_run_says_what_a_run_would_cost_and_writes_nothing(
  program, tmp_path, monkeypatch
):
  monkeypatch.setattr(loop, 'fit', lambda *_: pytest.fail('It trains.'))
  code, out, err = program(
    'train',
    *DENSE,
    '--config.images=96000',
    '--dry_run',
    f'--workdir={tmp_path}/run',
  )
  assert code == 0, err
  assert not list(tmp_path.iterdir())
  *decoding, parameters, needs, memory, forecast = out.splitlines()
  # Unless another test has decoded them.
  assert [line.split(' ')[0] for line in decoding] in ([], ['Decoding'])
  assert 'the generator has' in parameters
  assert re.fullmatch(
    r'[\d.e-]+ GFLOP a step, and about 0.0\d GiB of memory\.', needs
  )
  assert 'GiB were expected for a step' in memory
  images, pace, minutes = re.fullmatch(
    r'([\d,]+) images at ([\d,.]+) images a second \([\d,]+ an hour\): '
    r'([\d.]+) minutes, or [\d.]+ device-hours, without evaluations, samples '
    r'and checkpoints\.',
    forecast,
  ).groups()
  assert images == '96,000'
  pace = float(pace.replace(',', ''))
  assert float(minutes) == pytest.approx(96_000 / pace / 60, abs=0.051)


def test_a_run_needs_a_folder_or_is_a_dry_one(program):
  code, _, err = program('train')
  assert code == 2
  assert (
    '--workdir has no value; give the folder of the run, or --dry_run' in err
  )


def test_alarms_are_raised_once(program, tmp_path, monkeypatch):
  monkeypatch.setattr(warnings, 'on_balance', lambda metrics: 'It tips.')
  flags = (*DCGAN, '--config.samples.every=8', f'--workdir={tmp_path}/run')
  code, out, _ = program('train', *flags)
  assert code == 0
  # At the second evaluation in a row; a generator that hardly moved makes one
  # image.
  assert out.count('Warning after 16 images: It tips.') == 1
  assert out.count('Warning after 16 images: The samples have collapsed') == 1
  assert out.count('Warning') == 2


@pytest.mark.parametrize(
  'signals', [2 * [signal.SIGINT], [signal.SIGHUP, signal.SIGTERM]]
)
def test_a_second_signal_ends_the_run_at_once(
  signals, program, tmp_path, raise_after
):
  raise_after(4, *signals)
  code, _, err = program('train', *DENSE, f'--workdir={tmp_path}/run')
  assert code == 75
  _, acknowledged, ended = err.splitlines()
  assert acknowledged.endswith('A second signal ends the program at once.')
  assert ended.startswith('train: Stopped by a signal')
  assert not list((tmp_path / 'run' / 'checkpoints').glob('[0-9]*'))


def test_what_is_not_finite_stops_the_run_and_is_not_saved(program, tmp_path):
  folder = tmp_path / 'run'
  code, out, err = program(
    'train',
    *DENSE,
    '--config.loss=least_squares',
    '--config.steps_together=1',
    '--config.checkpoint.every=8',
    '--config.optimizers.generator.name=sgd',
    '--config.optimizers.discriminator.name=sgd',
    '--config.optimizers.generator.learning_rate=10',
    '--config.optimizers.discriminator.learning_rate=10',
    f'--workdir={folder}',
  )
  assert code == 1
  assert 'Traceback' not in out + err
  first = err.index('train: At step ')
  assert 'became infinite or undefined' in err[first:]
  step = int(err[first:].split()[3].strip(','))
  assert step > 0
  state = restore.last(folder).state
  assert state.step == step
  assert all(np.isfinite(raw(leaf)).all() for leaf in jax.tree.leaves(state))


def test_a_state_that_is_not_finite_is_not_saved(
  program, tmp_path, monkeypatch
):
  """The metrics of a step are those before its update."""

  def broken(*arguments):
    for phase, state, metrics, step in dispatch.dispatches(*arguments):
      if step == 8:
        params = jax.tree.map(lambda leaf: leaf * jnp.nan, state.params)
        state = state.replace(params=params)
      yield phase, state, metrics, step

  monkeypatch.setattr(loop, 'dispatches', broken)
  flags = (*DENSE, SAVES, f'--workdir={tmp_path}')
  code, _, err = program('train', *flags)
  assert code == 1
  assert 'train: After step 8, params' in err and 'Lower a learning' in err
  assert restore.last(tmp_path).state.step == 4


def test_samples_that_are_not_finite_stop_the_run(
  program, tmp_path, monkeypatch
):
  weights = steps.weights
  monkeypatch.setattr(
    steps,
    'weights',
    lambda state, which: jax.tree.map(
      lambda leaf: leaf * np.nan, weights(state, which)
    ),
  )
  code, out, err = program('train', *DENSE, f'--workdir={tmp_path}/run')
  assert code == 1
  assert 'samples of step 0 have pixels that are infinite or undefined' in err
  assert 'Traceback' not in out + err


def test_a_full_disk_is_one_sentence(tmp_path):
  # With a cache of its own: the entries cut short would stay in a shared one.
  ended = subprocess.run(
    [
      *('sh', '-c', 'ulimit -f 40; exec "$@"', 'sh'),
      *(sys.executable, '-m', 'experiments.train', *DENSE),
      f'--workdir={tmp_path}/full',
    ],
    cwd=ROOT,
    env=os.environ | {'XDG_CACHE_HOME': f'{tmp_path}/cache'},
    capture_output=True,
    text=True,
  )
  assert ended.returncode == 1
  assert 'could not be written to ' in ended.stderr
  assert 'free space there' in ended.stderr
  assert 'Traceback' not in ended.stdout + ended.stderr


def case(expected, *flags, code=1):
  return pytest.param(flags, expected, code, id=flags[-1])


@pytest.mark.parametrize(
  'flags, expected, code',
  [
    case('no field \'los\'. Did you mean "loss"', '--config.los=hinge', code=2),
    case("no field 'nam'. Did you", '--config.data.nam=digits', code=2),
    case("no field 'lots'.", '--config.lots.of=3', code=2),
    case(
      "invalid literal for int() with base 10: 'x'", '--config.images=x', code=2
    ),
    case("Unknown command line flag 'workdi'", '--workdi=a', code=2),
    case("There is no use for 'stray'", 'stray', code=2),
    case("no loss 'hing'; did you mean 'hinge'?", '--config.loss=hing'),
    case(
      "no update rule 'both'; choose from alter", '--config.update_rule=both'
    ),
    case(
      "no data set 'digit': did you mean digits", '--config.data.name=digit'
    ),
    case("no dtype 'float'; did you mean 'float32'?", '--config.dtype=float'),
    case(
      "no loader 'hosts'; did you mean 'host'?", '--config.data.loader=hosts'
    ),
    case("network 'mlp' takes other arg", '--config.network=mlp'),
    case('16, 32, 64 or 128 pixels, not 24', '--config.data.resolution=24'),
    case('batch_size is 0; it must be', '--config.batch_size=0'),
    case('samples.every is 0; it must be', '--config.samples.every=0'),
    case(
      'takes no critic_steps (2)',
      '--config.critic_steps=2',
      '--config.update_rule=simultaneous',
    ),
    case('A mesh over 99 devices was asked', '--config.mesh.data=99'),
    case('checkpoint.keep is 0; it must be', '--config.checkpoint.keep=0'),
    case('no file configs/none.py', '--config=configs/none.py', code=2),
  ],
)
def test_a_mistake_is_answered_by_one_sentence(
  flags, expected, code, program, tmp_path
):
  result = program('train', *DCGAN, f'--workdir={tmp_path}/run', *flags)
  assert result[0] == code
  # Of all mistakes the first one decodes, what the others find in the cache.
  assert re.fullmatch(r'(Decoding 1,\d+ pictures of .+\n)?', result[1])
  assert result[2].startswith('train: ')
  assert expected in result[2]
  assert 'Traceback' not in result[2]


def test_a_folder_without_pictures_is_answered_by_one_sentence(
  program, tmp_path
):
  (tmp_path / 'nothing').mkdir()
  code, out, err = program(
    'train',
    *DCGAN,
    '--config.data.name=folder',
    f'--config.data.dir={tmp_path}/nothing',
    f'--workdir={tmp_path}/run',
  )
  assert (code, out) == (1, '')
  assert err.startswith('train: no pictures below ')
  assert not (tmp_path / 'run').exists()


def test_a_single_picture_can_be_overfitted(program, tmp_path):
  (tmp_path / 'one').mkdir()
  pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
  Image.fromarray(pixels).save(tmp_path / 'one' / 'picture.png')
  code, out, err = program(
    'train',
    *DENSE,
    '--config.data.name=folder',
    f'--config.data.dir={tmp_path}/one',
    '--config.evaluate.measures=distance',
    '--config.evaluate.every=40',
    '--config.evaluate.samples=8',
    f'--workdir={tmp_path}/run',
  )
  assert (code, err) == (0, '')
  assert 'Done after 80 images.' in out and 'Best distance' in out


def start_and_kill(command, ready):
  """Starts a training of its own and kills it once `ready()`."""
  child = subprocess.Popen(
    [sys.executable, '-m', 'experiments.train', *command],
    cwd=ROOT,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
  )
  try:
    while child.poll() is None and not ready():
      time.sleep(0.001)
  finally:
    child.kill()
    _, complaint = child.communicate()
  assert child.returncode in (0, -signal.SIGKILL), complaint


# Each dispatch is saved: saves follow one another, so a process is killed
# within one.
SAVES = '--config.checkpoint.every=32'


def test_killed_while_it_saves_a_run_loses_nothing(program, tmp_path):
  whole, parts = tmp_path / 'whole', tmp_path / 'parts'
  flags = (*DENSE, SAVES, '--config.images=192')
  assert program('train', *flags, f'--workdir={whole}')[0] == 0
  command = (*flags, f'--workdir={parts}')

  def saving():
    names = [path.name for path in (parts / 'checkpoints').glob('*')]
    return any(name.isdigit() for name in names) and any(
      'tmp' in name for name in names
    )

  start_and_kill(command, saving)
  code, out, _ = program('train', *command)
  assert code == 0
  assert 'Resuming after ' in out
  same_runs(whole, parts)


@pytest.mark.slow
def test_killed_at_any_moment_a_run_loses_nothing(program, tmp_path):
  whole, parts = tmp_path / 'whole', tmp_path / 'parts'
  flags = (*DENSE, SAVES, '--config.images=640')
  assert program('train', *flags, f'--workdir={whole}')[0] == 0
  command = (*flags, f'--workdir={parts}')
  before = time.monotonic()
  start_and_kill(command[:-1] + (f'--workdir={tmp_path}/unhurt',), bool)
  lasts = time.monotonic() - before
  for _ in range(3):
    end = time.monotonic() + random.uniform(0.3, 1) * lasts
    start_and_kill(command, lambda end=end: time.monotonic() > end)
  assert program('train', *command)[0] == 0
  same_runs(whole, parts)


def test_phases_follow_one_another_and_resume_anywhere():
  mesh, optimizers = parallel.mesh(1), Pair(*[optax.adam(0.1)] * 2)

  def step(state, batch):
    """Both players go after the mean image, with noise of the step's own."""
    key = jax.random.fold_in(state.key, state.step)
    shown = images.scale(batch.images)
    goal = shown.mean(0) + jax.random.normal(key, shown.shape[1:])
    moves = [
      optimizer.update(params - goal, opt_state)
      for optimizer, params, opt_state in zip(
        optimizers, state.params, state.opt_state, strict=True
      )
    ]
    return state.replace(
      step=state.step + 1,
      params=Pair(*map(jnp.add, state.params, [move for move, _ in moves])),
      opt_state=Pair(*[opt_state for _, opt_state in moves]),
    ), {'goal': goal.mean()}

  restart = functools.partial(steps.restart, optimizers)
  phases = (
    dispatch.Phase(step, None, 8, 4),
    dispatch.Phase(step, None, 16, 6, restart),
  )
  counts = [
    dispatch.images_seen(phases, number) for number in (0, 3, 4, 5, 10, 99)
  ]
  assert counts == [0, 24, 32, 48, 128, 128]
  assert dispatch.images_seen(phases, math.inf) == 128

  pixels = np.random.default_rng(0).integers(0, 256, (30, 2, 2, 1), np.uint8)
  loader = dispatch.from_device(Batch(pixels), mesh)

  def go_on(state):
    words, states, measured = [], {}, {}
    for phase, now, metrics, done in dispatch.dispatches(
      phases, state, loader, mesh, 2, lambda *told: words.append(told)
    ):
      assert phase is phases[done > 4]
      assert now.step == done
      # The next dispatch takes the state's buffers.
      states[done] = jax.tree.map(jnp.copy, now)
      measured[done] = jax.device_get(metrics)
    return words, states, measured

  params = Pair(*jnp.zeros((2, 2, 2, 1)))
  start = steps.TrainState(
    step=jnp.int32(0),
    key=jax.random.key(3),
    params=params,
    opt_state=Pair(*map(optimizers.generator.init, params)),
    buffers=Pair({}, {}),
    ema_params={},
    ema_buffers={},
  )
  words, states, measured = go_on(jax.tree.map(jnp.copy, start))
  assert list(states) == [2, 4, 6, 8, 10]
  # One program for each phase.
  assert [told[:2] for told in words] == [(phases[0], 2), (phases[1], 2)]
  # Adam counted from the second phase's beginning.
  counts = [
    leaf
    for leaf in jax.tree.leaves(states[10].opt_state)
    if leaf.dtype == jnp.int32
  ]
  assert counts == [6, 6]
  assert len(measured[6]['goal']) == 2
  for stopped, programs in ((2, 2), (4, 1), (8, 1)):
    words, again, remeasured = go_on(jax.tree.map(jnp.copy, states[stopped]))
    assert len(words) == programs
    assert list(again) == [done for done in states if done > stopped]
    for done, state in again.items():
      same_bits(state, states[done])
      same_bits(remeasured[done], measured[done])


@pytest.mark.parametrize('name', ['resident', 'hosted'])
@pytest.mark.parametrize('together', [1, 4])
def test_every_image_of_the_order_is_shown_in_its_turn(name, together):
  """Steps that only say which images they were given."""
  mesh = parallel.mesh(1)
  pixels = np.arange(30, dtype=np.uint8).reshape(30, 1, 1, 1)
  labels = np.arange(30, dtype=np.int32)[::-1]
  data = images.ImageSet(pixels, labels, 'numbers')
  loader = {
    'resident': lambda: dispatch.from_device(Batch(pixels, labels), mesh),
    'hosted': lambda: dispatch.from_host(
      lambda *arguments: loaders.batches(data, *arguments), mesh
    ),
  }[name]()

  def step(state, batch):
    saw = jnp.stack([batch.images[:, 0, 0, 0], batch.labels], -1)
    return state.replace(step=state.step + 1), {'saw': saw}

  def preprocess(batch, key, first):
    return batch._replace(images=images.scale(batch.images))

  def phase(rows, steps):
    return dispatch.Phase(step, None, rows, steps, preprocess=preprocess)

  phases = phase(4, 3), phase(7, 6), phase(1, 5)
  start = steps.TrainState(
    step=jnp.int32(0),
    key=jax.random.key(3),
    params=Pair({}, {}),
    opt_state=Pair({}, {}),
    buffers=Pair({}, {}),
    ema_params={},
    ema_buffers={},
  )
  expected = order.indices(
    order.data_key(start.key), 0, dispatch.images_seen(phases, 14), 30
  )

  def seen(state):
    found = []
    for _, now, metrics, done in dispatch.dispatches(
      phases, state, loader, mesh, together, lambda *told: None
    ):
      assert now.step == done
      found.append(np.asarray(metrics['saw']).reshape(-1, 2))
    assert done == 14
    scaled, labels = np.concatenate(found).T
    shown = np.round((scaled + 1) * 127.5)
    np.testing.assert_array_equal(labels, 29 - shown)
    return shown

  np.testing.assert_array_equal(seen(start), expected)
  middle = jax.tree.map(jnp.copy, start).replace(step=jnp.int32(5))
  first = dispatch.images_seen(phases, 5)
  np.testing.assert_array_equal(seen(middle), expected[first:])
