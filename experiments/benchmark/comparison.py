"""What a row of the benchmark says: our best side beside the strongest peer."""

from experiments.benchmark import limits


def timed(row):
  """Returns the sides of a row that have rounds, a dict.

  Args:
    row: as `rounds.compare` returns it.
  """
  sides = row.get('sides', {})
  return {side: own for side, own in sides.items() if 'median' in own}


def best(row):
  """Returns the names of our fastest side and of the fastest peer, or None.

  Args:
    row: as `rounds.compare` returns it.
  """
  sides = timed(row)
  ours = [side for side in sides if not side.startswith('torch')]
  peers = [side for side in sides if side not in ours] if ours else []
  return tuple(
    min(own, key=lambda side: sides[side]['median'], default=None)
    for own in (ours, peers)
  )


def sentence(row):
  """Returns how our best side and the strongest peer compare, or ''.

  Args:
    row: as `rounds.compare` returns it.
  """
  own, peer = best(row)
  if own is None:
    return ''
  sides = timed(row)
  words = f'{own} takes {1000 * sides[own]["median"]:.4g} ms a {row["each"]}'
  if peer:
    times = sides[peer]['median'] / sides[own]['median']
    words += f', and the strongest peer, {peer}, {times:.2f} times as long'
  return f'{words} (rounds: {len(sides[own]["seconds"])}).'


def share(own, found):
  """Returns which part of the machine's own rate a side reaches, or None.

  Args:
    own: the side, of `timed`.
    found: all rows by name, whose limits may be missing.
  """
  rates = found.get(limits.NAME, {}).get('rates', {})
  if own.get('moved') and 'copy' in rates:
    return own['moved'] / own['median'] / rates['copy']
  limit = rates.get(own.get('precision'))
  if not limit or not own['flops_per_second']:
    return None
  return own['flops_per_second'] / limit


def notes(found, settings):
  """Returns what tables have to say of all rows, a list of sentences.

  Args:
    found: all rows by name.
    settings: those of all rows, with 'commit' and 'versions'.
  """
  hardware = {
    row['about']['hardware'] for row in found.values() if 'about' in row
  }
  versions = ', '.join(' '.join(own) for own in settings['versions'].items())
  said = [
    'Medians of alternating rounds, after one or two that are not counted.',
    'The limit is the measured rate of matrix products in the same precision, '
    'and for input that of copies.',
  ]
  if limits.NAME in found:
    said.append(found[limits.NAME]['sentence'])
  if settings['tiny']:
    said.append('A rehearsal at tiny sizes: its numbers say nothing.')
  place = ' or '.join(sorted(hardware))
  return [*said, f'{place}; {versions}; commit {settings["commit"]}.']
