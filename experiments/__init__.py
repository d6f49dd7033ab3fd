"""Programs: flags, build, run, write."""
