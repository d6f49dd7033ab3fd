"""What a config is for, so that no program takes that of another one."""

from ganjax.config import ranges

# From the purpose of a config to a field that others do not have, and to an
# example. The first that fits holds.
_PURPOSES = {
  'a protocol of mode collapse': ('protocol', 'configs/mode_collapse.py:ring'),
  'a style transfer': ('init', 'configs/style_transfer.py'),
  'a style network': ('content', 'configs/style_network.py'),
  'a training on images': ('network', 'configs/dcgan.py'),
}
MODES, TRANSFER, STYLE_NETWORK, TRAINING = _PURPOSES


def checked(config, *purposes):
  """Returns the config of --config, which can be used as far as it alone tells.

  Args:
    config: of any kind.
    *purposes: as in `check`.

  Raises:
    ValueError: as `check`, or if a number is outside its range.
  """
  check(config, '--config', *purposes)
  ranges.check(config)
  return config


def check(config, place, *purposes):
  """Raises ValueError unless a config is for one of some purposes.

  Args:
    config: of any kind.
    place: where it is from, for the message: '--config', or a workdir.
    *purposes: of `TRAINING`, `MODES`, `TRANSFER` and `STYLE_NETWORK`.
  """
  found = next(
    (own for own, (field, _) in _PURPOSES.items() if field in config), None
  )
  if found not in purposes:
    examples = ' or '.join(_PURPOSES[own][1] for own in purposes)
    raise ValueError(
      f'{place} is of {found or "something else"}, but this program needs '
      f'{" or ".join(purposes)}, such as {examples}.'
    )
