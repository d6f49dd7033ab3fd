"""The figures of a sweep: what its factors do, and how its cells learn."""

import numpy as np

from ganjax.reports import effects, results
from ganjax.reports.figures import factors as figures
from ganjax.reports.figures.curves import curves, with_error
from ganjax.reports.results import words
from ganjax.reports.statistics import summary

_FEW = 3  # of the best cells and of the worst, where there are many
_TOGETHER = 6  # lines that one panel can hold


def draw(found):
  """The figures of an `Outcome`, by the names of their files."""
  drawn = _searched(found) if found.searched else _crossed(found)
  if panels := _learning(found):
    drawn['learning'] = curves(
      panels,
      found.titles[found.objective],
      scale=_scale(found, found.objective),
      shared=False,
    )
  return drawn


def main_effects(found, measure, evaluation=None):
  """From each factor, a tuple of fields, to its `effects.Level`s.

  Args:
    found: an `Outcome`.
    measure: which.
    evaluation: at which, instead of the last; of runs that ended.
  """
  values = np.array(
    [
      np.where(
        [run.state == 'done' for run in cell.runs],
        results.values(cell, measure, evaluation or results.reached(cell)),
        np.nan,
      )
      for cell in found.cells
    ]
  )
  by_factor = {}
  for fields in results.factors(found):
    # Those that move together have one value as soon as one of them has.
    levels = [cell.settings[fields[0]] for cell in found.cells]
    others = [
      tuple(v for field, v in cell.settings.items() if field not in fields)
      for cell in found.cells
    ]
    by_factor[fields] = effects.main_effect(values, levels, others)
  return by_factor


def name(found, fields):
  """The name of a factor: that of its field, or of all that move together."""
  return ' + '.join(found.names[field] for field in fields)


def label(found, cell):
  """A cell in few words: its number, and its values of what varies."""
  varied = [fields[0] for fields in results.factors(found)]
  told = [words(cell.settings[field]) for field in varied]
  return f'{cell.number}: {", ".join(told)}' if told else f'{cell.number}'


def importance(found):
  """From each parameter of a search to its share of what made the difference.

  Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing
  Hyperparameter Importance", 2014, ICML: functional ANOVA over a forest, as
  Optuna has it. Empty where fewer than ten trials ended, which tell nothing.
  """
  import optuna

  ended = results.ranked(found)
  varied = [fields[0] for fields in results.factors(found)]
  if len(ended) < 10 or not varied:
    return {}
  spaces = {
    field: _space([cell.settings[field] for cell in ended]) for field in varied
  }
  optuna.logging.set_verbosity(optuna.logging.WARNING)
  study = optuna.create_study(direction=found.direction)
  study.add_trials(
    optuna.create_trial(
      params={field: cell.settings[field] for field in varied},
      distributions=spaces,
      value=float(np.nanmean(results.final(cell, found.objective))),
    )
    for cell in ended
  )
  return optuna.importance.get_param_importances(
    study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
  )


def _space(values):
  import optuna

  if not all(isinstance(value, int | float) for value in values):
    return optuna.distributions.CategoricalDistribution(
      list(dict.fromkeys(values))
    )
  return optuna.distributions.FloatDistribution(
    min(values), max(values), log=effects.wide(values)
  )


def _crossed(found):
  drawn = {}
  for measure, title in found.titles.items():
    factors = {}
    for fields, levels in main_effects(found, measure).items():
      means = {cell.number: _mean(found, cell, measure) for cell in found.cells}
      factors[name(found, fields)] = figures.Effect(
        [words(level.value) for level in levels],
        np.array([level.mean for level in levels]),
        np.array([level.error for level in levels]),
        [
          [
            means[cell.number]
            for cell in found.cells
            if cell.settings[fields[0]] == level.value
            and np.isfinite(means[cell.number])
          ]
          for level in levels
        ],
      )
    if factors:
      drawn[f'effects_{measure.replace("/", "_")}'] = figures.main_effects(
        factors, title, _scale(found, measure)
      )
  return drawn


def _searched(found):
  sign = 1 if found.direction == 'minimize' else -1
  finals = np.array(
    [_mean(found, cell, found.objective) for cell in found.cells]
  )
  every = [
    float(np.mean(own[np.isfinite(own)])) if np.isfinite(own).any() else np.nan
    for own in (results.final(cell, found.objective) for cell in found.cells)
  ]
  states = [state(cell) for cell in found.cells]
  best = sign * np.fmin.accumulate(sign * finals)
  title, scale = (
    found.titles[found.objective],
    _scale(found, found.objective),
  )
  drawn = {
    'search': figures.history(
      [cell.number for cell in found.cells], every, best, states, title, scale
    )
  }
  parameters = {
    name(found, fields): _axis(
      [cell.settings[fields[0]] for cell in found.cells]
    )
    for fields in results.factors(found)
  }
  if parameters:
    drawn['parameters'] = figures.against_parameters(
      parameters, finals, title, scale
    )
  return drawn


def state(cell):
  """What became of a trial, by the worst of its runs."""
  states = {run.state for run in cell.runs}
  worst = ('diverged', 'cut short', 'unfinished', 'not begun', 'done')
  return next(one for one in worst if one in states)


def _axis(values):
  if all(isinstance(value, int | float) for value in values):
    return values, 'log' if effects.wide(values) else 'linear'
  return list(map(words, values)), 'linear'


def _mean(found, cell, measure):
  """The mean over the runs that ended, NaN where none did."""
  ended = [run.state == 'done' for run in cell.runs]
  own = results.final(cell, measure)[ended]
  own = own[np.isfinite(own)]
  return float(own.mean()) if len(own) else np.nan


def _scale(found, measure):
  means = [
    mean
    for mean in (_mean(found, cell, measure) for cell in found.cells)
    if np.isfinite(mean)
  ]
  return 'log' if effects.wide(means) else 'linear'


def _learning(found):
  """The panels of the objective over training: cells, and by each factor."""
  ranked = results.ranked(found)
  rows = [row for cell in ranked for run in cell.runs for row in run.rows]
  evaluations = sorted({row['evaluation'] for row in rows})
  if len(evaluations) < 2:
    return {}
  panels = {}
  if len(ranked) <= _TOGETHER:
    panels['each cell'] = _courses(found, ranked, evaluations)
  else:
    panels[f'the best {_FEW} cells and the worst {_FEW}'] = _courses(
      found, [*ranked[:_FEW], *ranked[-_FEW:]], evaluations
    )
  if found.searched:
    return panels
  at_evaluations = [
    main_effects(found, found.objective, evaluation)
    for evaluation in evaluations
  ]
  images = [_images(ranked, evaluation) for evaluation in evaluations]
  for fields in results.factors(found):
    by_level = zip(*(at[fields] for at in at_evaluations), strict=True)
    panels[f'by {name(found, fields)}'] = {
      words(levels[0].value): with_error(
        images,
        np.array([level.mean for level in levels]),
        np.array([level.error for level in levels]),
      )
      for levels in by_level
    }
  return panels


def _courses(found, cells, evaluations):
  courses = {}
  for cell in cells:
    ended = [run.state == 'done' for run in cell.runs]
    summaries = [
      summary(results.values(cell, found.objective, evaluation)[ended])
      for evaluation in evaluations
    ]
    courses[label(found, cell)] = with_error(
      [_images([cell], evaluation) for evaluation in evaluations],
      np.array([own['mean'] for own in summaries]),
      np.array([own['std'] for own in summaries]),
    )
  return courses


def _images(cells, evaluation):
  """The images seen until an evaluation, the same for runs of one length."""
  return next(
    row['images_seen']
    for cell in cells
    for run in cell.runs
    for row in run.rows
    if row['evaluation'] == evaluation
  )
