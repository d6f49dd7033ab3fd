"""What every data set of pictures is: undecoded files by number."""

from collections.abc import Callable
from typing import NamedTuple


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
