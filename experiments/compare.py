r"""Compares training runs on one page.

  python -m experiments.compare --run runs/a --run runs/b --output compared.html
  python -m experiments.compare --run 'runs/hinge-*' --run 'runs/wgan-*' \
    --output compared.html

The page has a table of what differs between the configs, the curves of all
metrics over each other, the last samples side by side, and what
experiments.evaluate has measured. Runs that differ in their seeds are one line
with a band. The page is a single file and loads nothing.
"""

import glob

from absl import flags
from tqdm import tqdm

from ganjax import launch, paths
from ganjax.reports import comparison_page

_RUN = flags.DEFINE_multi_string(
  'run',
  None,
  'The folder of a training run, or a pattern of folders. Give the flag once '
  'for each.',
)
_OUTPUT = flags.DEFINE_string('output', None, 'The page to write, .html.')
flags.mark_flags_as_required(['run', 'output'])


def main():
  """Writes the page."""
  path = paths.check_destination(_OUTPUT.value, '--output', endings=('.html',))
  folders = [
    folder
    for pattern in _RUN.value
    for folder in sorted(glob.glob(pattern)) or [pattern]
  ]
  comparison_page.write(path, list(dict.fromkeys(folders)))
  tqdm.write(f'Written to {path}.')
  return 0


if __name__ == '__main__':
  launch.run(main)
