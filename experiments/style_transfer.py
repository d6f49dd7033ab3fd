r"""Paints a content picture in the style of other pictures.

  python -m experiments.style_transfer --content cat.jpg --style marc.jpg
  python -m experiments.style_transfer --content cat.jpg --style a.jpg \
    --style b.jpg --style_weights 2,1 --mask left.png --output painted.png

The picture is written to --output, and beside it a JSON file that says how it
was made; with --gif also an animation, and with --preview the picture as it is
after each --every steps. Ctrl-C or SIGTERM ends the program with the picture as
it is by then. configs/style_transfer.py has presets. Features are those of the
file of --weights, or of a VGG in the cache, or of SqueezeNet, which is fetched
once (0.66 MB), or of random filters. `--verify_weights vgg19.pth` paints
nothing, but tells whether a file holds the published weights of VGG.
"""

import json
import time

import jax
from absl import flags
from tqdm import tqdm

from ganjax import files, launch, picture_files, pictures
from ganjax.config import flag, purpose
from ganjax.style import from_config, objective, pretrained, transfer
from ganjax.training import provenance, signals

_CONFIG = flag.define('configs/style_transfer.py', 'Of the transfer.')
_CONTENT = flags.DEFINE_string('content', None, 'The picture to paint.')
_STYLE = flags.DEFINE_multi_string(
  'style', [], 'A picture whose style is taken; may be repeated.'
)
_STYLE_WEIGHTS = flags.DEFINE_list(
  'style_weights', [], 'A number for each style; by default all are equal.'
)
_MASK = flags.DEFINE_multi_string(
  'mask', [], 'Picture, white where a style is to be; in the order of --style.'
)
_OUTPUT = flags.DEFINE_string('output', 'out.png', 'The file to write.')
_KEEP_COLORS = flags.DEFINE_bool(
  'keep_colors', False, "Keeps the content's colours, as colors=luminance does."
)
_INIT = flags.DEFINE_string(
  'init', None, 'The initial picture: a name (see the config), or a file.'
)
_FIELDS = (
  flags.DEFINE_integer('size', None, 'Longer side of the result, pixels.', 1),
  flags.DEFINE_integer('min_size', None, 'That at the first scale, pixels.', 1),
  flags.DEFINE_enum('features', None, pretrained.FEATURES, 'Which network.'),
  flags.DEFINE_float('strength', None, 'Of the style; .5 by default.', 0, 1),
  flags.DEFINE_integer('seed', None, 'Of noise and filters.', 0, 2**32 - 1),
)
_WEIGHTS = flags.DEFINE_string(
  'weights', None, "The network's file: .pth, .h5, .safetensors, .npz or .net."
)
_EVERY = flags.DEFINE_integer(
  'every', 50, 'Steps from one report of losses to the next.', lower_bound=1
)
_GIF = flags.DEFINE_bool('gif', False, 'Writes an animation as well.')
_PREVIEW = flags.DEFINE_bool(
  'preview', False, 'Writes the picture after each --every steps as well.'
)
_VERIFY = flags.DEFINE_string('verify_weights', None, 'A VGG to be verified.')


def main():
  """Paints; returns the exit code."""
  if _VERIFY.value:
    verified = pretrained.verify(_VERIFY.value)
    print(*pretrained.table(verified), verified.sentence, sep='\n')
    return 0 if verified.authentic else 1
  if not _CONTENT.value:
    raise ValueError('There is no picture to paint; give --content=FILE.')
  config = _configured()
  path = picture_files.check_destination(
    _OUTPUT.value,
    [_CONTENT.value, *_STYLE.value, *_MASK.value, config.init],
    ['.json', *['.gif'] * _GIF.value],
  )
  content = pictures.load(_CONTENT.value)[None]
  from_config.check_memory(config, content)
  colors = from_config.preservation(config)
  styles = objective.exemplars(
    [colors.before(pictures.load(p)[None], content) for p in _STYLE.value],
    from_config.style_weights(_STYLE_WEIGHTS.value),
    [pictures.load_mask(path)[None] for path in _MASK.value],
  )
  encoder, sentence = from_config.encoder(config, _WEIGHTS.value)
  encoder = from_config.rescaled(config, encoder, content)
  method = from_config.method(config, encoder)
  tqdm.write(f'Features: {sentence} Compiling ...')
  path.parent.mkdir(parents=True, exist_ok=True)
  began, frames = time.monotonic(), []
  for progress in _progress(config, encoder, method, content, styles):
    painted = colors.after(progress.pictures, content)[0]
    frames = [*(frames if _GIF.value else []), pictures.pixels(painted)]
    if _PREVIEW.value:
      pictures.save(path, frames[-1])
  record = {
    'content': _CONTENT.value,
    'styles': _STYLE.value,
    'features': encoder.name,
    'config': json.loads(config.to_json()),
    'losses': {name: float(v[0]) for name, v in progress.losses.items()},
    'steps': progress.step,
    'of': progress.steps,
    'seconds': time.monotonic() - began,
    **provenance.record(),
  }
  pictures.save(path, frames[-1])
  files.write_json(path.with_suffix('.json'), record)
  if _GIF.value:
    pictures.animate(path.with_suffix('.gif'), frames)
  tqdm.write(
    f'Painted {progress.size[1]}x{progress.size[0]} pixels with '
    f'{progress.step} of {progress.steps} steps in {record["seconds"]:.0f} s. '
    f'Written: {path}, and beside it .json{" and .gif" * _GIF.value}.'
  )
  return 0 if progress.step == progress.steps else launch.STOPPED


def _configured():
  config = purpose.checked(_CONFIG.value, purpose.TRANSFER)
  for own in _FIELDS:
    if own.value is not None:
      config[own.name] = own.value
  if _KEEP_COLORS.value:
    config.colors = 'luminance'
  config.init = _INIT.value or config.init
  if config.style.weight and not _STYLE.value:
    raise ValueError('There is no style; give --style=FILE.')
  return config


def _progress(config, encoder, method, content, styles):
  """Yields and shows each `Progress`, to the end or until a signal comes."""
  sides, steps = from_config.scales(config)
  key = jax.random.key(config.seed)
  bar = tqdm(total=sum(steps), unit='step', disable=None, dynamic_ncols=True)
  with bar, signals.catch() as stop:
    for progress in transfer.run(
      key, encoder, method, content, styles, sides, steps, _EVERY.value
    ):
      bar.update(progress.step - bar.n)
      words = transfer.in_words(progress)
      bar.set_postfix_str(words)
      if bar.disable:
        tqdm.write(f'{progress.step}/{progress.steps} steps, {words}')
      yield progress
      if stop.is_set():
        return


if __name__ == '__main__':
  launch.run(main)
