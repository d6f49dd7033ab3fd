"""Programs: flags, build, run, write."""

import signal
import sys

# While the modules of a program are imported, Ctrl-C ends it without a trace.
# Python runs `-m experiments.NAME` under this name until it has found the file.
_handler = signal.getsignal(signal.SIGINT)
if sys.argv[0] == '-m' and _handler is signal.default_int_handler:
  signal.signal(signal.SIGINT, signal.SIG_DFL)
