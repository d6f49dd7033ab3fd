"""What a sweep prints while it runs."""

from ganjax.reports import sweep_results
from ganjax.sweeps import status


def setting(number, values):
  rows = [
    [{'evaluation': 1, 'of': 1, 'fid': value, 'images_seen': 8}]
    for value in values
  ]
  runs = [
    sweep_results.Run(number, seed, own, 'done')
    for seed, own in enumerate(rows)
  ]
  changes = {'rate': float(number)}
  return sweep_results.Setting(number, changes, changes, runs)


def test_a_setting_whose_seeds_collapsed_is_not_the_best(monkeypatch, capsys):
  settings = [
    setting(0, [0.1, None]),
    setting(1, [0.6, 0.5]),
    setting(2, [0.3, 0.2]),
  ]
  found = sweep_results.SweepResults(
    {'evaluations': 1, 'settings': [{}]},
    {'rate': 'rate'},
    settings,
    {'fid': 'FID'},
    'fid',
    'minimize',
    ['fid'],
    [],
    {},
  )
  monkeypatch.setattr(status.sweep_results, 'read', lambda folder: found)
  status.print_best('anywhere')
  lines = capsys.readouterr().out.splitlines()
  order = [line.split(':')[0].strip() for line in lines if ': ' in line]
  assert order[:4][-3:] == ['2', '1', '0']
  assert '(1 of 2)' in ' '.join(lines)
