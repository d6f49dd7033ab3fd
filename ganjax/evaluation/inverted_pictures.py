"""A user's own pictures, and how near a trained generator comes to them."""

import pathlib
import warnings

import jax
import numpy as np

from ganjax import inversion, latent_spaces, pictures
from ganjax.config import datasets
from ganjax.data import decode, folders
from ganjax.evaluation import extractors
from ganjax.style import encoders, pretrained

FEATURES = ('auto', 'none', 'classifier', 'inception', *pretrained.FEATURES)
"""The names of features that pictures can be compared by."""


def read(places, config, shape):
  """Returns the paths of pictures, and the pictures as a run's data have them.

  Args:
    places: paths of pictures, or of folders of them, at least one. A picture of
      a folder that cannot be read is left out, with a warning.
    config: of the run.
    shape: of one of its examples, (H, W, C).

  Returns:
    A list of N paths, and uint8 `[N, H, W, C]`.

  Raises:
    FileNotFoundError: if there is no such picture.
    ValueError: if it cannot be read, or a folder has none.
  """
  if '' in places:
    raise ValueError('The path of a picture is empty; name a file or a folder.')
  paths, found = [], []
  for place in map(pathlib.Path, places):
    whole = place.expanduser().is_dir()
    for path in _inside(place.expanduser()) if whole else [place]:
      try:
        own = decode.read(path, shape[0], shape[-1], config.data.crop)
      except ValueError as error:
        if not whole:
          raise
        warnings.warn(f'{error} It is left out.', stacklevel=2)
      else:
        paths.append(path)
        found.append(own)
  if not found:
    raise ValueError(f'No picture of {places[0]} can be read.')
  return paths, np.stack(found)


def _inside(folder):
  paths, notes = folders.pictures(folder)
  if not paths:
    words = ' '.join(('holds no picture that can be read.', *notes))
    raise ValueError(f'{folder} {words}')
  if notes:
    warnings.warn(f'{folder}: {" ".join(notes)}', stacklevel=3)
  return [folder / path for path in paths]


def latents(run) -> latent_spaces.Space:
  """Returns the space of the latents of a `restore.TrainedRun`."""

  def generate(given, latents, key, labels):
    return run.game.sample(*given, latents, key, labels=labels)

  return latent_spaces.latents(generate, run.game.prior, run.shape[0])


def styles(run) -> latent_spaces.Space:
  """Returns the space of the styles of a `restore.TrainedRun`."""
  return latent_spaces.styles(run.game, run.shape[0])


SPACES = {'z': latents, 'w': styles}
"""The functions that return a space, by its name."""


def encoder(which, config, classes) -> encoders.Encoder:
  """Returns the encoder of a generator's images, by one of `FEATURES`.

  Args:
    which: 'none'; 'classifier', of the run's data, and 'inception', as
      `extractors.extractor`; 'auto', the classifier where the data have
      classes, else random filters; or a network of style transfer.
    config: of the run.
    classes: the names of the classes of its data.

  Raises:
    OSError: if weights cannot be had.
    ValueError: if the data have no classes for a classifier.
  """
  if which == 'auto':
    which = 'classifier' if classes else 'random'
  if which == 'none':
    return inversion.NO_FEATURES
  if which not in ('classifier', 'inception'):
    return encoders.of_any_image(pretrained.choose(which)[0])
  data = None
  if which == 'classifier':
    data = datasets.reals(config)
    extractors.check([], data, which, config.labels)
  features = extractors.extractor(data, which)

  def apply(params, own, layers):
    rows = features.apply(2 * own - 1)
    return dict.fromkeys(layers, rows[:, None, None])

  layers = ('features',)
  return encoders.Encoder(features.name, {}, apply, layers, layers, layers, 1)


def rows(paths, found, classes):
  """Returns what was found of each picture, a list of dicts of JSON values.

  Args:
    paths: of the pictures.
    found: an `inversion.Inversion`.
    classes: the names of the classes.
  """
  listed = []
  for number, path in enumerate(paths):
    row = {'picture': f'{path}'}
    if found.labels is not None:
      label = int(found.labels[number])
      row['class'] = classes[label] if label < len(classes) else f'{label}'
    row['error'] = float(found.error[number])
    if found.features is not None:
      row['features'] = float(found.features[number])
    row['radius'] = float(found.radius[number])
    listed.append(row)
  return listed


def beside(wanted, found, zoom):
  """Returns a picture `[H, W, C]`, uint8: each image beside the one found.

  Args:
    wanted: `[N, H, W, C]` in [-1, 1].
    found: as `wanted`.
    zoom: side of a pixel, in pixels.
  """
  pairs = np.stack([wanted, found], 1).reshape(-1, *wanted.shape[1:])
  # Up to four pairs stand one below another, more in two columns or four.
  across = min(4, 1 << max(0, (len(wanted) - 1).bit_length() - 2))
  picture = pictures.grid(pairs, 2 * across)
  return picture.repeat(zoom, 0).repeat(zoom, 1)


def frames(space, given, wanted, found, which, zoom):
  """Returns the way there as a list of pictures `[H, W, 3]`, uint8.

  Args:
    space: in which it was found.
    given: the generator's weights.
    wanted: all images, `[N, H, W, C]` in [-1, 1].
    found: the `inversion.Inversion` of them, with its path.
    which: the numbers of those that are shown.
    zoom: as in `beside`.
  """
  render = jax.jit(space.render)
  labels = None if found.labels is None else found.labels[which]
  drawn = []
  for points in found.path:
    images = np.asarray(render(given, points[which], labels))
    frame = beside(wanted[which], images, zoom)
    drawn.append(
      frame.repeat(3, -1) if frame.shape[-1] == 1 else frame[..., :3]
    )
  return drawn
