r"""Converts pictures once into shards, from which any number of runs stream.

  python -m experiments.prepare --source MY_PICTURES --output PREPARED
  python -m experiments.prepare --source pictures.zip --output PREPARED \
    --resolution 256
  python -m experiments.prepare --output PREPARED --verify
  python -m experiments.train --config configs/r3gan.py:ffhq256 \
    --config.data.dir=PREPARED --loader_processes 8 --workdir runs/a

The source is a folder of pictures, a zip file of one, or a parquet file as of
Hugging Face; sub-folders, or its column 'label', are the classes. The output is
what --config.data.name=folder takes as --config.data.dir: files of ArrayRecord
and manifest.json, which has their hashes. The same command again goes on where
it was stopped.
"""

from absl import flags
from tqdm import tqdm

from ganjax import launch, paths
from ganjax.data import array_records, conversion, own_pictures
from ganjax.training import progress

_SOURCE = flags.DEFINE_string(
  'source', None, 'A folder of pictures, or a .zip or .parquet file of them.'
)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'The folder to write the shards into.'
)
_RESOLUTION = flags.DEFINE_integer(
  'resolution',
  0,
  'The shorter side that larger pictures are resized to, in pixels; 0 stores '
  'all files as they are.',
  lower_bound=0,
)
_SHARD = flags.DEFINE_integer(
  'shard',
  16_384,
  'How many pictures go into a shard. A conversion that was stopped goes on '
  'after the last whole one.',
  lower_bound=1,
)
_VERIFY = flags.DEFINE_bool(
  'verify', False, 'Compare all shards of --output with their hashes instead.'
)
flags.mark_flag_as_required('output')
flags.register_multi_flags_validator(
  ['source', 'verify'],
  lambda given: bool(given['source']) != given['verify'],
  'Give either --source, the pictures to convert, or --verify.',
)


def main():
  """Converts or verifies; returns the exit code."""
  return _verify() if _VERIFY.value else _convert()


def _convert():
  folder = paths.check_folder(_OUTPUT.value, '--output')
  source = own_pictures.at(_SOURCE.value)
  for note in source.notes:
    tqdm.write(f'Warning: {note}')
  with tqdm(
    total=source.size, desc=source.name, unit=' pictures', disable=None
  ) as bar:
    say = None

    def done(number, kept):
      nonlocal say
      bar.initial = kept
      bar.update(number - bar.n)
      if bar.disable and number > kept:
        say = say or progress.lines(tqdm.write, kept, source.size)
        say(number, '')

    manifest = conversion.convert(
      source, folder, _RESOLUTION.value, _SHARD.value, done
    )
  broken = [fault for shard in manifest.shards for fault in shard.broken]
  if broken:
    more = f'; and {len(broken) - 5} more' if len(broken) > 5 else ''
    tqdm.write(
      f'Warning: {len(broken)} of {source.size} pictures of {source.name} '
      f'cannot be read and are left out: {"; ".join(broken[:5])}{more}.'
    )
  size = sum(shard.size for shard in manifest.shards)
  tqdm.write(
    f'{manifest.examples:,} pictures of {len(manifest.classes)} classes in '
    f'{len(manifest.shards)} shards, {size / 2**20:,.1f} MiB. Train with '
    f'--config.data.name=folder --config.data.dir={folder} '
    '--config.data.loader=stream.'
  )
  return 0


def _verify():
  folder = paths.check_folder(_OUTPUT.value, '--output')
  manifest = array_records.read_manifest(folder)
  size = sum(shard.size for shard in manifest.shards)
  with tqdm(total=size, unit='B', unit_scale=True, disable=None) as bar:
    for shard in manifest.shards:
      array_records.check(folder, shard, whole=True)
      bar.update(shard.size)
  tqdm.write(
    f'All {len(manifest.shards)} shards in {folder} have the hashes of the '
    'manifest.'
  )
  return 0


if __name__ == '__main__':
  launch.run(main)
