"""How processes that share a run learn that one of them has ended.

Whoever waits for a process that is gone waits for ever on some devices, and is
aborted minutes later on others. So each process holds a connection to process
0. It says over it why it ends; if it was killed, the system closes the
connection in its place. Process 0 tells all others.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from typing import NamedTuple


class End(NamedTuple):
  """That a process has ended.

  Attributes:
    process: its number.
    code: its exit code; None if it was killed, or cannot be reached any more.
    sentence: why it ended; '' if it was killed, or reached its end.
  """

  process: int
  code: int | None
  sentence: str = ''


class Line(NamedTuple):
  """What connects a process with the others.

  Attributes:
    tell: `End -> None`, which tells the other processes; it raises nothing.
    port: of process 0, which the others connect to.
  """

  tell: Callable
  port: int


def listen(number, token, ended):
  """Returns the `Line` of process 0, to which the others connect.

  Args:
    number: how many processes there are.
    token: a string that the others know, and strangers do not.
    ended: `End -> None`, called in a thread when another process has ended.
  """
  server = socket.create_server(('', 0))
  peers, lock = {}, threading.Lock()

  def tell(end):
    with lock:
      for process, connection in peers.items():
        if process != end.process:
          _send(connection, end)

  def forward(end):
    tell(end)
    ended(end)

  def serve(connection):
    try:
      connection.settimeout(_HELLO)
      lines = connection.makefile('r', encoding='utf-8')
      given, process = json.loads(lines.readline(1000))
    except (OSError, TypeError, ValueError):
      return connection.close()
    if given != token or process not in range(1, number):
      return connection.close()
    connection.settimeout(None)
    with lock:
      peers[process] = connection
    return _listen(connection, lines, process, forward)

  def accept():
    with contextlib.suppress(OSError):
      while True:
        _in_thread(serve, server.accept()[0])

  _in_thread(accept)
  return Line(tell, server.getsockname()[1])


def connect(host, port, token, process, ended):
  """Returns the `Line` of a process that is not process 0.

  Args:
    host: of process 0.
    port: that its `Line` has.
    token: that it was given.
    process: the number of this process.
    ended: as in `listen`.

  Raises:
    OSError: if there is no connection to be had.
  """
  connection = socket.create_connection((host, port), timeout=_HELLO)
  connection.settimeout(None)
  _send(connection, (token, process))
  lines = connection.makefile('r', encoding='utf-8')
  _in_thread(_listen, connection, lines, 0, ended)
  return Line(lambda end: _send(connection, end), port)


_HELLO = 20.0  # seconds in which a process has to answer


def _send(connection, value):
  # Whoever has gone already needs not be told.
  with contextlib.suppress(OSError):
    connection.sendall(f'{json.dumps(value)}\n'.encode())


def _listen(connection, lines, process, ended):
  """Calls `ended` with each `End` that comes, and with that of the process."""
  _notice_lost_machines(connection)
  told = False
  with contextlib.suppress(OSError, ValueError):
    for line in lines:
      end = End(*json.loads(line))
      told = told or end.process == process
      ended(end)
  if not told:
    ended(End(process, None))


def _notice_lost_machines(connection):
  """Has the system ask whether the other machine is there: a minute at most."""
  connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
  for name, value in (
    ('TCP_KEEPIDLE', 20),
    ('TCP_KEEPINTVL', 10),
    ('TCP_KEEPCNT', 4),
  ):
    if hasattr(socket, name):  # Not all systems have all of them.
      connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _in_thread(function, *arguments):
  threading.Thread(target=function, args=arguments, daemon=True).start()
