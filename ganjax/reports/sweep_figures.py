"""The figures of a sweep: main effects, a search, and learning curves."""

import numpy as np

from ganjax.reports import effects, sweep_results
from ganjax.reports.figures import factors as figures
from ganjax.reports.figures.curves import curves, with_error
from ganjax.reports.statistics import summary
from ganjax.reports.sweep_results import factor_name, label, words

_EXTREMES = 3  # of the best settings and of the worst, where there are many
_LINES = 6  # settings that one panel has room for


def draw(sweep):
  """Returns the figures of a `SweepResults`, by the names of their files."""
  drawn = _searched(sweep) if sweep.searched else _crossed(sweep)
  if panels := _learning(sweep):
    drawn['learning'] = curves(
      panels,
      sweep.titles[sweep.objective],
      scale=_scale(sweep, sweep.objective),
      shared=False,
    )
  return drawn | _within(sweep)


def main_effects(sweep, measure, evaluation=None):
  """Returns the `effects.Level`s of each factor, a tuple of fields.

  Args:
    sweep: a `SweepResults`.
    measure: the name of the value.
    evaluation: at which it was measured; the newest, if None. Runs that have
      not ended are left out.
  """
  values = np.array(
    [
      np.where(
        [run.state == 'done' for run in setting.runs],
        sweep_results.values(
          setting, measure, evaluation or sweep_results.reached(setting)
        ),
        np.nan,
      )
      for setting in sweep.settings
    ]
  )
  by_factor = {}
  for fields in sweep_results.factors(sweep):
    # Fields that change together have a value for each value of the first.
    levels = [setting.values[fields[0]] for setting in sweep.settings]
    others = [
      tuple(v for field, v in setting.values.items() if field not in fields)
      for setting in sweep.settings
    ]
    by_factor[fields] = effects.main_effect(values, levels, others)
  return by_factor


def importance(sweep):
  """Returns the importance of each parameter of a search, a share of 1.

  Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing
  Hyperparameter Importance", 2014, ICML: functional ANOVA over a forest, as
  Optuna has it. Empty where fewer than ten trials ended.
  """
  import optuna

  ended = sweep_results.ranked(sweep)
  varied = [fields[0] for fields in sweep_results.factors(sweep)]
  if len(ended) < 10 or not varied:
    return {}
  spaces = {
    field: _space([setting.values[field] for setting in ended])
    for field in varied
  }
  optuna.logging.set_verbosity(optuna.logging.WARNING)
  study = optuna.create_study(direction=sweep.direction)
  study.add_trials(
    optuna.create_trial(
      params={field: setting.values[field] for field in varied},
      distributions=spaces,
      value=float(np.nanmean(sweep_results.final(setting, sweep.objective))),
    )
    for setting in ended
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


def _crossed(sweep):
  drawn = {}
  for measure in sweep.compared:
    factors = {}
    for fields, levels in main_effects(sweep, measure).items():
      means = {
        setting.number: _mean(sweep, setting, measure)
        for setting in sweep.settings
      }
      factors[factor_name(sweep, fields)] = figures.Effect(
        [words(level.value) for level in levels],
        np.array([level.mean for level in levels]),
        np.array([level.error for level in levels]),
        [
          [
            means[setting.number]
            for setting in sweep.settings
            if setting.values[fields[0]] == level.value
            and np.isfinite(means[setting.number])
          ]
          for level in levels
        ],
      )
    if factors:
      drawn[_file('effects', measure)] = figures.main_effects(
        factors, sweep.titles[measure], _scale(sweep, measure)
      )
  return drawn


def _file(kind, measure):
  """Returns the name of the figures of a measure, which templates make too."""
  return f'{kind}_{measure.replace("/", "_")}'


def _searched(sweep):
  sign = 1 if sweep.direction == 'minimize' else -1
  finals = np.array(
    [_mean(sweep, setting, sweep.objective) for setting in sweep.settings]
  )
  every = [
    float(np.mean(own[np.isfinite(own)])) if np.isfinite(own).any() else np.nan
    for own in (
      sweep_results.final(setting, sweep.objective)
      for setting in sweep.settings
    )
  ]
  states = [state(setting) for setting in sweep.settings]
  best = sign * np.fmin.accumulate(sign * finals)
  title, scale = (
    sweep.titles[sweep.objective],
    _scale(sweep, sweep.objective),
  )
  drawn = {
    'search': figures.history(
      [setting.number for setting in sweep.settings],
      every,
      best,
      states,
      title,
      scale,
    )
  }
  parameters = {
    factor_name(sweep, fields): _axis(
      [setting.values[fields[0]] for setting in sweep.settings]
    )
    for fields in sweep_results.factors(sweep)
  }
  if parameters:
    drawn['parameters'] = figures.against_parameters(
      parameters, finals, title, scale
    )
  return drawn


def state(setting):
  """Returns the state of a trial, that of the worst of its runs."""
  states = {run.state for run in setting.runs}
  worst = ('diverged', 'cut short', 'unfinished', 'not begun', 'done')
  return next(one for one in worst if one in states)


def _axis(values):
  if all(isinstance(value, int | float) for value in values):
    return values, 'log' if effects.wide(values) else 'linear'
  return list(map(words, values)), 'linear'


def _mean(sweep, setting, measure):
  """Returns the mean over the runs that ended, NaN where none did."""
  ended = [run.state == 'done' for run in setting.runs]
  own = sweep_results.final(setting, measure)[ended]
  own = own[np.isfinite(own)]
  return float(own.mean()) if len(own) else np.nan


def _scale(sweep, measure):
  means = [
    mean
    for mean in (_mean(sweep, setting, measure) for setting in sweep.settings)
    if np.isfinite(mean)
  ]
  return 'log' if effects.wide(means) else 'linear'


def _learning(sweep):
  """Returns the panels of learning curves: of settings, and by each factor.

  Where there is one factor, its values are the settings, and have one panel.
  """
  ranked = sweep_results.ranked(sweep)
  evaluations = _evaluations(ranked)
  if len(evaluations) < 2:
    return {}
  panels, factors = {}, sweep_results.factors(sweep)
  several = sweep.searched or len(factors) != 1
  if several and len(ranked) <= _LINES:
    panels['each setting'] = _curves(sweep, ranked, evaluations)
  elif several:
    title = f'the best {_EXTREMES} settings and the worst {_EXTREMES}'
    panels[title] = _curves(
      sweep, [*ranked[:_EXTREMES], *ranked[-_EXTREMES:]], evaluations
    )
  if sweep.searched:
    return panels
  at_evaluations = [
    main_effects(sweep, sweep.objective, evaluation)
    for evaluation in evaluations
  ]
  images = [_images(ranked, evaluation) for evaluation in evaluations]
  for fields in factors:
    by_level = zip(*(at[fields] for at in at_evaluations), strict=True)
    panels[f'by {factor_name(sweep, fields)}'] = {
      words(levels[0].value): with_error(
        images,
        np.array([level.mean for level in levels]),
        np.array([level.error for level in levels]),
      )
      for levels in by_level
    }
  return panels


def _within(sweep):
  """Returns the figures of a grid of two factors, by measure.

  They have a panel for each value of the first factor, and in it a line for
  each value of the second.
  """
  ranked, factors = sweep_results.ranked(sweep), sweep_results.factors(sweep)
  evaluations = _evaluations(ranked)
  if sweep.searched or len(factors) != 2 or len(evaluations) < 2:
    return {}
  (outer, *_), (inner, *_) = factors
  name, drawn = factor_name(sweep, factors[0]), {}
  # In the order of main effects, so that values have their colours.
  levels = effects.ordered(
    [setting.values[inner] for setting in sweep.settings]
  )

  in_order = sorted(
    ranked,
    key=lambda setting: (levels.index(setting.values[inner]), setting.number),
  )
  for measure, title in sweep.titles.items():
    panels = {}
    for setting in in_order:
      panel = panels.setdefault(f'{name} {words(setting.values[outer])}', {})
      panel[words(setting.values[inner])] = _curve(
        sweep, setting, evaluations, measure
      )
    lines = [line for panel in panels.values() for line in panel.values()]
    means = np.concatenate([line.mean for line in lines])
    scale = 'log' if effects.wide(means[np.isfinite(means)]) else 'linear'
    drawn[_file('learning', measure)] = curves(panels, title, scale=scale)
  return drawn


def _curves(sweep, settings, evaluations):
  return {
    label(sweep, setting): _curve(sweep, setting, evaluations, sweep.objective)
    for setting in settings
  }


def _curve(sweep, setting, evaluations, measure):
  """Returns the `Curve` of the runs of a setting that ended."""
  ended = [run.state == 'done' for run in setting.runs]
  summaries = [
    summary(sweep_results.values(setting, measure, evaluation)[ended])
    for evaluation in evaluations
  ]
  return with_error(
    [_images([setting], evaluation) for evaluation in evaluations],
    np.array([own['mean'] for own in summaries]),
    np.array([own['std'] for own in summaries]),
  )


def _evaluations(settings):
  """Returns the numbers of the evaluations that were made of some settings."""
  rows = [
    row for setting in settings for run in setting.runs for row in run.rows
  ]
  return sorted({row['evaluation'] for row in rows})


def _images(settings, evaluation):
  """Returns the images seen until an evaluation, the same for all runs."""
  return next(
    row['images_seen']
    for setting in settings
    for run in setting.runs
    for row in run.rows
    if row['evaluation'] == evaluation
  )
