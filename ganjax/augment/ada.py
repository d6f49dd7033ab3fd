"""The augmentations of ADA, adaptive discriminator augmentation.

Karras et al., "Training Generative Adversarial Networks with Limited Data",
2020, arXiv:2006.06676, appendix B. `ganjax.adaptive` adapts their p.
"""

import jax

from ganjax.augment import affine, bands, color, corruptions, geometric
from ganjax.augment.per_image import Augmentation, augmentation
from ganjax.lookup import choose

PIPES = {
  'blit': {'blit': 1.0},
  'geom': {'geom': 1.0},
  'color': {'color': 1.0},
  'filter': {'filter': 1.0},
  'noise': {'noise': 1.0},
  'cutout': {'cutout': 1.0},
  'bg': dict.fromkeys(('blit', 'geom'), 1.0),
  'bgc': dict.fromkeys(('blit', 'geom', 'color'), 1.0),
  'bgcf': dict.fromkeys(('blit', 'geom', 'color', 'filter'), 1.0),
  'bgcfn': dict.fromkeys(('blit', 'geom', 'color', 'filter', 'noise'), 1.0),
  'bgcfnc': dict.fromkeys(
    ('blit', 'geom', 'color', 'filter', 'noise', 'cutout'), 1.0
  ),
  # Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline",
  # 2024, arXiv:2501.05441, as its code has it.
  'r3gan': {'blit': 1.0, 'geom': 1.0, 'color': 0.5, 'cutout': 1.0},
}
"""By name, the groups of transforms and the factors of p that they take."""


def ada(policy: str = 'bgc') -> Augmentation:
  """Returns the augmentation of a pipe of ADA, in the order of the paper.

  Flips, quarter turns and shifts by whole pixels ('blit') are exact by
  themselves; together with 'geom' they are one affine map, of
  `affine.resampled`.

  Args:
    policy: the name of one of `PIPES`; 'bgc' is the paper's choice.

  Returns:
    `(images [N, H, W, C], key, p) -> images`. At p = 1 the augmentations
    cannot be undone, and the generator learns them; the paper saw that seldom
    below .8. With colours, C is 1, 3 or 4.

  Raises:
    ValueError: if there is no such pipe.
  """
  groups = choose('pipe of ADA', PIPES, policy)
  places = _with_factors(groups, blit=geometric.BLIT, geom=geometric.GEOM)
  colors = _with_factors(groups, color=color.COLOR)
  corrupt = _with_factors(
    groups,
    filter=(bands.band_gains,),
    noise=(corruptions.noise,),
    cutout=(corruptions.cutout,),
  )
  through = affine.resampled if 'geom' in groups else affine.gathered

  def one(image, key, p):
    place_key, color_key, *keys = jax.random.split(key, 2 + len(corrupt))
    if places:
      drawn = _draws(places, place_key, p, *image.shape[:2])
      image = through(image, affine.product(drawn))
    if colors:
      image = color.mapped(image, _draws(colors, color_key, p))
    for (transform, factor), own in zip(corrupt, keys, strict=True):
      image = transform(image, own, factor * p)
    return image

  return augmentation(one)


def _with_factors(groups, **transforms):
  """Returns pairs of a transform and its factor of p, of groups in use."""
  return [
    (transform, groups[name])
    for name, own in transforms.items()
    if name in groups
    for transform in own
  ]


def _draws(transforms, key, p, *arguments):
  keys = jax.random.split(key, len(transforms))
  return [
    transform(own, factor * p, *arguments)
    for (transform, factor), own in zip(transforms, keys, strict=True)
  ]


AUGMENTATIONS = {'ada': ada}
