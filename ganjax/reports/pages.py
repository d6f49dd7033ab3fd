"""Pages of a single file each: their templates, and the pictures in them."""

import base64
import io
import pathlib
import warnings

import jinja2
import markupsafe
from PIL import Image

from ganjax import paths

_TEMPLATES = jinja2.Environment(
  loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent / 'templates'),
  autoescape=True,
  trim_blocks=True,
  lstrip_blocks=True,
  undefined=jinja2.StrictUndefined,
)
_DAMAGED = (
  OSError,
  SyntaxError,  # of a broken PNG
  TypeError,
  ValueError,
  Image.DecompressionBombError,
)
_LARGE = 200_000  # bytes, from which on a picture of many is made smaller


def render(name, values):
  """Returns a page, HTML.

  Args:
    name: of its template, without the ending.
    values: a dict of what the template names.
  """
  return _TEMPLATES.get_template(f'{name}.html.jinja').render(values)


def markup(text):
  """Returns text that is HTML already, such as a table, for `render`."""
  return markupsafe.Markup(text)


def picture(folder, name, large=True):
  """Returns a picture for a page; None if there is none.

  With a warning, that is also what leads out of the folder or is no PNG.

  Args:
    folder: of results, a `pathlib.Path`.
    name: of the file, relative to the folder or below it; or None.
    large: whether a large file stays as it is; else it becomes a JPEG.
  """
  if not name:
    return None
  try:
    path = paths.inside(folder, name)
    with Image.open(path, formats=('PNG',)) as image:
      image.verify()
    if not large and path.stat().st_size > _LARGE:
      return _jpeg(path)
    return _embedded(path.read_bytes(), 'png')
  except FileNotFoundError:
    return None
  except _DAMAGED as error:
    warnings.warn(f'A picture is left out: {error}', stacklevel=2)
    return None


def figure(path):
  """Returns a figure's PNG and its width on a page: 120 pixels an inch."""
  with Image.open(path, formats=('PNG',)) as image:
    width = round(0.6 * image.width)
  return {'source': _embedded(path.read_bytes(), 'png'), 'width': width}


def _jpeg(path):
  """Returns a picture of at most 960 pixels, as a JPEG."""
  file = io.BytesIO()
  with Image.open(path, formats=('PNG',)) as image:
    image.thumbnail((960, 960))
    image.convert('RGB').save(file, 'JPEG', quality=88)
  return _embedded(file.getvalue(), 'jpeg')


def _embedded(content, kind):
  encoded = base64.b64encode(content).decode()
  return f'data:image/{kind};base64,{encoded}'
