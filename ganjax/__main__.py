"""`python -m ganjax` is the command `ganjax`."""

from ganjax import command_line

if __name__ == '__main__':
  command_line.main()
