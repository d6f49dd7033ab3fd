"""Residual networks of SNGAN, SAGAN and BigGAN, as they are for 32 pixels.

Miyato et al., "Spectral Normalization for Generative Adversarial Networks",
2018, arXiv:1802.05957, appendix B.4; Zhang et al., "Self-Attention Generative
Adversarial Networks", 2019, arXiv:1805.08318; Brock, Donahue and Simonyan,
"Large Scale GAN Training for High Fidelity Natural Image Synthesis", 2019,
arXiv:1809.11096, appendix B; all with what is in their code for CIFAR-10 alone.
The three differ in width, attention, the initial weights and how labels enter
the generator. Spectral normalisation is `remedies.spectral`, of the
discriminator (SNGAN) or of both players, and the projection of features on the
class is `conditional.projected`.
"""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from ganjax import lookup
from ganjax.networks import conditional, layers, linen
from ganjax.networks.attention import SelfAttention
from ganjax.networks.residual import (
  INITIALS,
  Conv,
  DiscriminatorBlock,
  GeneratorBlock,
  Initial,
)
from ganjax.players import Discriminator, Generator, Pair

_SMALLEST = 4  # side of what a generator begins with, in pixels
_HALVED = (True, True, False, False)  # the discriminator's blocks


class ResNetGenerator(nn.Module):
  """Latents `[N, Z]` -> images `[N, R, R, channels]` in [-1, 1].

  With classes, labels `[N]` choose scales and biases of the normalisations.
  """

  resolution: int
  channels: int
  width: int
  attention: int
  hierarchical: bool
  embedding: int
  initial: Initial
  classes: int
  dtype: Any

  @nn.compact
  def __call__(self, latents, labels=None, *, train):
    """Returns the images of the latents."""
    blocks = (self.resolution // _SMALLEST).bit_length() - 1
    latents, *chunks = self._chunks(latents, blocks)
    images = nn.Dense(
      _SMALLEST**2 * self.width, kernel_init=self.initial.other, name='start'
    )(latents)
    images = images.reshape(-1, _SMALLEST, _SMALLEST, self.width)
    conditions, classes = self._conditions(chunks, labels, blocks)
    for number, condition in enumerate(conditions):
      images = GeneratorBlock(
        self.width, classes, self.initial, self.dtype, name=f'block{number}'
      )(images, condition, train)
      images = _attended(self, images)
    images = nn.relu(
      layers.BatchNorm(name='norm')(images.astype(jnp.float32), train)
    )
    images = Conv(self.channels, kernel_init=self.initial.other, name='to_rgb')(
      images
    )
    return jnp.tanh(images)

  def _chunks(self, latents, blocks):
    """Returns the latents of the start, and those of each block, if any."""
    if not self.hierarchical:
      return (latents,)
    if latents.shape[-1] % (blocks + 1):
      raise ValueError(
        f'Latents of {latents.shape[-1]} numbers cannot be cut into '
        f'{blocks + 1} equal chunks; choose a prior.size that {blocks + 1} '
        'divides, or hierarchical=False.'
      )
    return jnp.split(latents, blocks + 1, -1)

  def _conditions(self, chunks, labels, blocks):
    """Returns each block's condition, and the number of classes of labels."""
    if not self.classes:
      return chunks or [None] * blocks, 0
    if not self.embedding:
      return [labels] * blocks, self.classes
    shape = self.classes, self.embedding
    table = self.param('classes', self.initial.other, shape)
    vectors = layers.chosen(table, labels)
    if not chunks:
      return [vectors] * blocks, 0
    return [jnp.concatenate([vectors, chunk], -1) for chunk in chunks], 0


class ResNetDiscriminator(nn.Module):
  """Images `[N, R, R, C]` -> logits `[N]`."""

  width: int
  attention: int
  head_bias: bool
  initial: Initial
  dtype: Any

  @nn.compact
  def __call__(self, images, train):
    """Returns the logits of the images."""
    for number, halved in enumerate(_HALVED):
      images = DiscriminatorBlock(
        self.width,
        number == 0,
        halved,
        self.initial,
        self.dtype,
        name=f'block{number}',
      )(images)
      if halved:
        images = _attended(self, images)
    features = nn.relu(images.astype(jnp.float32)).sum((1, 2))
    self.sow('features', 'last', features)
    head = nn.Dense(
      1, self.head_bias, kernel_init=self.initial.other, name='head'
    )
    return head(features)[:, 0]


def generator(
  resolution: int = 32,
  channels: int = 3,
  width: int = 256,
  attention: int = 0,
  hierarchical: bool = False,
  embedding: int = 0,
  initial: str = 'glorot',
  dtype: DTypeLike = jnp.float32,
  classes: int = 0,
) -> Generator:
  """Returns the `Generator`, by default SNGAN's, of 4,276,739 parameters.

  Args:
    resolution: of the images, in pixels: 8, 16, 32 and so on.
    channels: of the images.
    width: channels of all blocks; SNGAN and SAGAN have 256, BigGAN 256 or 384.
    attention: side of the images, in pixels, that a self-attention stands at;
      0 for none. It takes a width that 8 divides.
    hierarchical: whether each block has a part of the latents for its
      normalisations, as BigGAN has it.
    embedding: size of a class's vector, which all normalisations map to scales
      and biases, as BigGAN has it; 0 gives each normalisation a table of the
      classes, as SNGAN has it. `remedies.spectral` divides the maps, but
      neither the vectors nor the tables.
    initial: the name of one of `INITIALS`.
    dtype: of the computation of the blocks; parameters, the first 4x4 pixels,
      statistics and the images are float32.
    classes: how many; with them the generator is conditional. 0 for an
      unconditional one.

  Raises:
    ValueError: if there is no such resolution or initialiser, if a class has no
      way into hierarchical normalisations, or if the attention has no place.
  """
  sides = [side for side in _powers(resolution) if side > _SMALLEST]
  if not sides or sides[-1] != resolution:
    raise ValueError(
      f'This network makes images of 8, 16, 32 pixels and so on, not of '
      f'{resolution}; set the resolution of the data to one of these.'
    )
  if hierarchical and classes and not embedding:
    raise ValueError(
      'hierarchical is True and embedding is 0, but a table of classes takes '
      'no latents; give the classes an embedding, such as 128.'
    )
  _check_attention(attention, sides)
  return linen.generator(
    ResNetGenerator(
      resolution,
      channels,
      width,
      attention,
      hierarchical,
      embedding,
      lookup.choose('initialiser', INITIALS, initial),
      classes,
      dtype,
    )
  )


def discriminator(
  resolution: int = 32,
  width: int = 128,
  attention: int = 0,
  head_bias: bool = False,
  initial: str = 'glorot',
  dtype: DTypeLike = jnp.float32,
) -> Discriminator:
  """Returns the `Discriminator`, by default SNGAN's, of 1,053,824 parameters.

  It halves the images twice. For other arguments, see `generator`.

  Args:
    resolution: of the images, in pixels; a multiple of 4.
    width: channels of all blocks; SNGAN and SAGAN have 128, BigGAN 192 or 256.
    head_bias: whether the last layer has a bias.

  Raises:
    ValueError: as `generator`.
  """
  if resolution % 4:
    raise ValueError(
      f'This network halves images twice, but they have {resolution} pixels; '
      'set the resolution of the data to a multiple of 4.'
    )
  _check_attention(attention, [resolution // 4, resolution // 2])
  return linen.discriminator(
    ResNetDiscriminator(
      width,
      attention,
      head_bias,
      lookup.choose('initialiser', INITIALS, initial),
      dtype,
    )
  )


def _powers(resolution):
  """Returns the sides from 4 pixels on that are at most a resolution."""
  number = max(resolution // _SMALLEST, 1).bit_length()
  return [_SMALLEST << power for power in range(number)]


def _check_attention(attention, sides):
  if attention and attention not in sides:
    raise ValueError(
      f'There is no block of {attention} pixels for the attention; choose from '
      f'{", ".join(map(str, sides))}, or 0 for none.'
    )


def _attended(module, images):
  """Returns the images, after the module's attention if it stands here."""
  if images.shape[1] != module.attention:
    return images
  return SelfAttention(module.initial.other, module.dtype, name='attention')(
    images
  )


def _from_sections(config, shape, dtype, classes=0):
  resolution, _, channels = shape
  critic = discriminator(resolution, dtype=dtype, **config.discriminator)
  if classes:
    initial = INITIALS[config.discriminator.initial].other
    critic = conditional.projected(critic, classes, initial)
  return Pair(
    generator(
      resolution, channels, dtype=dtype, classes=classes, **config.generator
    ),
    critic,
  )


NETWORKS = {'resnet': _from_sections}
