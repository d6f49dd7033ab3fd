# `make train` and `make test` need python3 (3.11 or newer) and nothing else.
VENV ?= .venv
PYTHON = $(VENV)/bin/python

.PHONY: train test slow lint benchmark

train: $(VENV)/installed
	$(PYTHON) -m experiments.train --config configs/dcgan.py --workdir runs/dcgan

test: $(VENV)/installed
	$(PYTHON) -m pytest -m 'not slow' -n 2

slow: $(VENV)/installed
	$(PYTHON) -m pytest -m slow

lint: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

benchmark: $(VENV)/installed
	$(PYTHON) -m experiments.benchmark

$(VENV)/installed: pyproject.toml
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --upgrade pip
	$(PYTHON) -m pip install --quiet --editable '.[dev]'
	touch $@
