"""What augmentation does for few images: MNIST with 100, 500 and 2,000 digits.

  python -m experiments.sweep --config configs/small_data.py \\
      --config.data.dir=PATH --workdir runs/small --reals test \\
      --metrics fid,critic --evaluations 8 --samples 2000

trains a narrow DCGAN at 16 pixels without augmentation, with DiffAugment and
with ADA, three seeds each. Samples are compared with MNIST's test digits, which
none of the trainings see, and so are the discriminator's opinions: where it
takes fewer of them for real than of the digits that it learns from, it has
learned those by heart (Karras et al., 2020, arXiv:2006.06676; Zhao et al.,
2020, arXiv:2006.10738).
"""

from configs import dcgan


def get_config():
  """Returns the config of 500 digits without augmentation, locked."""
  config = dcgan.get_config()
  with config.unlocked():
    config.images = 96_000
    config.data.update(name='mnist', split='train[:500]', resolution=16)
    config.generator.width = config.discriminator.width = 16
    # R1 of each image, and no statistics of batches, in which the reals of a
    # batch tell of one another.
    config.discriminator.norm = 'layer'
    config.regularizers.discriminator.r1.weight = 0.5
    # ADA's p can go from 0 to 1 within the run.
    config.augment.images = 50_000
  return config


def sweep(add):
  """Adds numbers of digits and augmentations."""
  for number in (100, 500, 2000):
    for name, policy in (
      ('none', ''),
      ('diffaugment', 'translation,cutout'),
      ('ada', 'bg'),
    ):
      add(
        {
          'data.split': f'train[:{number}]',
          'augment.name': name,
          'augment.policy': policy,
        }
      )
