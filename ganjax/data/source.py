"""What every data set of pictures is: undecoded files by number."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ganjax.data import order

_WORDS = np.zeros(2, np.uint32)  # of the key that `drawn` always draws by


class Source(NamedTuple):
  """Pictures by number.

  Attributes:
    name: for records, as 'mnist/train'.
    size: how many there are.
    channels: as stored.
    read: indices -> list of (file, label); a file is what
      `picture_files.decode` takes, a label an integer or None.
    title: index -> what to call that picture in a message.
    identity: text that changes when the pictures do.
    alike: whether all are known to have the same size.
    classes: the names of the classes, in the order of their labels; empty where
      the pictures have none.
    notes: sentences on what was found and is not among the pictures.
    content: text that changes when the pictures do, wherever their files lie;
      empty where only reading all of them could tell.
  """

  name: str
  size: int
  channels: int
  read: Callable
  title: Callable
  identity: str
  alike: bool
  classes: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()
  content: str = ''


def drawn(own: Source, number: int) -> Source:
  """Returns the source of some pictures, the same ones whenever they are drawn.

  Args:
    own: a `Source`.
    number: how many are drawn; all, if there are no more.
  """
  if own.size <= number:
    return own
  rows = np.sort(order.indices_on_host(_WORDS, 0, number, own.size)).tolist()
  return own._replace(
    name=f'{own.name} ({number:,} of {own.size:,})',
    size=number,
    read=lambda indices: own.read([rows[index] for index in indices]),
    title=lambda index: own.title(rows[index]),
    identity=f'{own.identity} {number}',
    content='',
  )
