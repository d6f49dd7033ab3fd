"""The bar of what is computed once and cached."""

from ganjax.evaluation import extractors


def test_progress_is_silent_until_there_is_some(capfd):
  with extractors.progress('Training a classifier', 'step'):
    pass
  assert capfd.readouterr() == ('', '')
  with extractors.progress('Training a classifier', 'step') as report:
    report(0, 8, 0.0)
    # Without a terminal there is a line instead of a bar.
    assert capfd.readouterr() == ('Training a classifier ...\n', '')
    report(8, 8, 0.0)
  assert capfd.readouterr() == ('', '')
