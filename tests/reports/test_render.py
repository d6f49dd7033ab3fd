"""Tables in every format, with names that each format could misread."""

import csv
import io
import json
import math
import re

import numpy as np
import pytest

from ganjax.reports import render

NAMES = (
  *('a|b', 'x_y', '_z_', '50 %', 'a & b', '<b>c</b>', '*d*', 'e\\f', '`g`'),
  *('$h$', '#i', 'j^k', '{l}', 'm~n', 'two\nlines'),
  *('![o](https://p.q)', '[r](s)'),
)


def table(name):
  return render.Table(
    ['name', 'value'], [[name, '1 ± 2']], frozenset({1}), ['A note.']
  )


@pytest.mark.parametrize('name', NAMES)
def test_markdown_keeps_cells_apart_and_names_as_they_are(name):
  head, rule, line, empty, note = render.markdown(table(name)).splitlines()
  own, value = re.split(r'(?<!\\)\|', line)[1:-1]
  # What a reader of Markdown shows of a backslash and a sign is the sign.
  plain = re.sub(r'\\([\\|*`<_\[\]~])', r'\1', own.strip())
  assert plain == ' '.join(name.splitlines())
  assert value.strip() == '1 ± 2'
  assert not re.search(r'(?<![\\\w])[*`<_\[\]~]', own)
  assert rule.endswith(':|') and (empty, note) == ('', '- A note.')


@pytest.mark.parametrize('name', NAMES)
def test_latex_escapes_what_it_would_execute(name):
  lines = render.latex(table(name)).splitlines()
  assert lines[0] == '% A note.'
  [line] = [one for one in lines if one.endswith(r'1 $\pm$ 2 \\')]
  assert len(re.findall(r'(?<!\\)&', line)) == 1
  own = line.partition(r'1 $\pm$')[0].replace('&', '', 1 - ('&' in name))
  assert not re.search(r'(?<!\\)[%#_$]', own)


@pytest.mark.parametrize('name', NAMES)
def test_html_shows_names_and_no_tags(name):
  page = render.html(table(name))
  assert '<b>' not in page
  assert page.count('<td') == 2 and page.count('<th') == 2 + 1  # and thead
  if name == 'a & b':
    assert 'a &amp; b' in page


@pytest.mark.parametrize('form', ['text', 'markdown', 'latex', 'html'])
def test_no_name_of_a_stranger_steers_a_terminal(form):
  name = '\x1b]0;owned\x07\x9b2J\rüber'
  strange = render.Table([name], [[name]], notes=[f'data: {name}'])
  found = getattr(render, form)(strange)
  assert not [own for own in found if own != '\n' and not own.isprintable()]
  assert 'x1b' in found and 'über' in found


def test_a_terminal_has_lines_where_a_title_breaks_and_words_are_long():
  long = render.Table(
    ['name', 'published\nFID', 'note'],
    [['a', '1', 'words ' * 10]],
    frozenset({1}),
    ['A note.'],
  )
  lines = render.text(long, 20).splitlines()
  assert max(map(len, lines)) < 50
  assert 'published' in lines[0] and 'FID' in lines[1]
  assert lines[-1] == 'A note.'
  assert 'published FID' in render.markdown(long)


def test_csv_has_all_keys_and_no_numbers_that_are_none():
  lines = [{'a': 1, 'b': math.nan}, {'a': np.float32(0.5), 'c': 'x, "y"'}]
  found = list(csv.DictReader(io.StringIO(render.csv(lines))))
  assert found == [
    {'a': '1', 'b': '', 'c': ''},
    {'a': '0.5', 'b': '', 'c': 'x, "y"'},
  ]


def test_no_spreadsheet_computes_the_words_of_a_csv():
  formulas = '=1+1', '+1', '-1', '@A1'
  text = render.csv([{'=b': own, 'c': -1.5} for own in formulas])
  assert text.splitlines() == ["'=b,c", *(f"'{own},-1.5" for own in formulas)]


def test_notes_in_markdown_are_words():
  noted = render.Table(['a'], [['b']], notes=['data: <img src=x> ![y](z)'])
  last = render.markdown(noted).splitlines()[-1]
  assert last == r'- data: \<img src=x> !\[y\](z)'


def test_json_has_null_for_what_is_not_finite():
  value = {'a': np.array([1.0, np.nan]), 'b': (math.inf, 'word'), 'c': None}
  strict = render.finite(value)
  assert json.dumps(strict, allow_nan=False) == (
    '{"a": [1.0, null], "b": [null, "word"], "c": null}'
  )
