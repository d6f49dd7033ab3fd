"""The trials of a search, which train as populations."""

from ganjax.sweeps import plan, runner, status


def trainer(sweep, seeds, traced, objective, quiet=False):
  """Returns the function `train` that `search.run` is given.

  Args:
    sweep: a `programs.Sweep`, whose settings are those of the trials.
    seeds: of each trial.
    traced: the set of fields that may be traced.
    objective: the name of the value that is optimised.
    quiet: whether the best trials are not printed after each evaluation.
  """

  def train(settings, numbers):
    own = sweep._replace(settings=dict(zip(numbers, settings, strict=True)))
    name = f'trials {min(numbers)}-{max(numbers)}'
    planned = [
      program._replace(
        settings=tuple(numbers[setting] for setting in program.settings)
      )
      for program in plan.programs(settings, seeds, traced)
    ]
    running = [runner.run(program, own, name) for program in planned]
    chosen = [None] * len(running)
    while running:
      rows = [one.send(sent) for one, sent in zip(running, chosen, strict=True)]
      if None in rows:  # A signal ended it.
        return
      if not quiet:
        status.print_best(sweep.folder)
      values = _means(rows, objective)
      going_on = yield [values[number] for number in numbers]
      alive = dict(zip(numbers, going_on, strict=True))
      chosen = [[alive[row['setting']] for row in found] for found in rows]
      running = [
        one for one, sent in zip(running, chosen, strict=True) if any(sent)
      ]
      chosen = [sent for sent in chosen if any(sent)]
      numbers = [number for number in numbers if alive[number]]

  return train


def _means(rows, objective):
  """Returns each trial's mean over its seeds; None if a seed has no value."""
  by_trial = {}
  for row in (row for own in rows for row in own):
    by_trial.setdefault(row['setting'], []).append(row[objective])
  return {
    trial: None if None in own else sum(own) / len(own)
    for trial, own in by_trial.items()
  }
