"""The networks of DCGAN in PyTorch, as in its example."""


def networks(case):
  """Returns the generator and the discriminator of a `dcgan_cases.Case`."""
  from torch import nn

  sizes = [
    case.width * 2**power
    for power in range((case.resolution // 8).bit_length())
  ]

  def normal(module):
    if isinstance(module, nn.BatchNorm2d):
      nn.init.normal_(module.weight, 1, 0.02)
    elif hasattr(module, 'weight'):
      nn.init.normal_(module.weight, 0, 0.02)

  layers = [nn.ConvTranspose2d(case.latents, sizes[-1], 4, 1, 0, bias=False)]
  for wide, narrow in zip(sizes[::-1], sizes[-2::-1], strict=False):
    layers += [nn.BatchNorm2d(wide), nn.ReLU(True)]
    layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)]
  layers += [nn.BatchNorm2d(sizes[0]), nn.ReLU(True)]
  layers += [nn.ConvTranspose2d(sizes[0], case.channels, 4, 2, 1, bias=False)]
  generator = nn.Sequential(*layers, nn.Tanh()).apply(normal)

  layers = [nn.Conv2d(case.channels, sizes[0], 4, 2, 1, bias=False)]
  layers += [nn.LeakyReLU(0.2, True)]
  for narrow, wide in zip(sizes, sizes[1:], strict=False):
    layers += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, True)]
  layers += [nn.Conv2d(sizes[-1], 1, 4, 1, 0, bias=False), nn.Flatten(0)]
  return generator, nn.Sequential(*layers).apply(normal)
