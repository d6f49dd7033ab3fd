"""The table of what was measured of a run, from its `evaluation.json`."""

from ganjax.reports import columns, render


def table(rows, described):
  """Returns the `render.Table` of rows, with notes on how they were measured.

  Args:
    rows: dicts with the same `settings`, at least one.
    described: the columns of the values to be in it, as `columns` has them.
  """
  settings = rows[0]['settings']
  names = ['subject', 'class', 'checkpoint', 'step', 'images_seen', 'number']
  lines = [
    _by_title(
      (columns.title(name, described, settings.get('features')), row.get(name))
      for name in [*names, *described]
    )
    for row in rows
  ]
  titles = list(dict.fromkeys(title for line in lines for title in line))
  taken = dict.fromkeys(own['measure'] for own in described.values())
  return render.Table(
    titles,
    [[_words(line.get(title)) for title in titles] for line in lines],
    frozenset(range(1, len(titles))),
    [
      *(f'{name}: {value}.' for name, value in settings.items()),
      *filter(None, (_how(rows, name) for name in taken)),
      *_unequal(rows),
      *columns.cautions(described, rows),
    ],
  )


def _unequal(rows):
  """Yields a sentence where other numbers of samples and reals stand together.

  The Frechet distance of N images from the data has a bias of about 1 / N, and
  other measures depend on N too.
  """
  whole = [row for row in rows if not row.get('class')]
  drawn, held = (
    {row['number'] for row in whole if row['subject'].startswith(kind)}
    for kind in ('samples', 'reals')
  )
  for number in sorted(held):
    if others := sorted(drawn - {number}):
      words = ' and '.join(f'{own:,}' for own in others)
      advice = (
        f'compare them with the row of {number:,} samples'
        if number in drawn
        else f'they cannot be compared; run evaluate with --samples={number}'
      )
      yield (
        f'{number:,} reals were held out, and there are rows of {words} '
        f'samples: a FID falls with the number of images, so {advice}.'
      )


def _by_title(values):
  """Returns the values of pairs by title: one for each resolution."""
  found = {}
  for title, value in values:
    if isinstance(value, dict):
      found |= {f'{title} {side}': part for side, part in value.items()}
    elif value is not None:
      found[title] = value
  return found


def _words(value):
  if value is None:
    return ''
  return f'{value:.4f}' if isinstance(value, float) else f'{value}'


def _how(rows, measure):
  """Returns what a measure was taken of as a sentence; '' if it was not."""
  said = dict.fromkeys(
    ', '.join(
      f'{name.replace("_", " ")} {value}' for name, value in how.items()
    )
    for how in (row['how'].get(measure) for row in rows)
    if how
  )
  return f'{measure}: {"; or ".join(said)}.' if said else ''
