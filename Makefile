# `make train` and `make test` need python3 (3.11 or newer) and nothing else.
PYTHON3 ?= python3
PYTHONS ?= python3.11 python3.12 python3.13
VENV ?= .venv
PYTHON = $(VENV)/bin/python

.PHONY: train test slow test-matrix mutations lint docs soak benchmark

train: $(VENV)/installed
	$(PYTHON) -m experiments.train --config configs/dcgan.py:mnist5k --workdir runs/dcgan

test: $(VENV)/installed
	$(PYTHON) -m pytest -m 'not slow' -n 2

# With the emitters of fusions that users have, which fast tests go without.
slow: $(VENV)/installed
	XLA_FLAGS=--xla_backend_optimization_level=0 $(PYTHON) -m pytest -m slow

# The fast tests with each of PYTHONS that starts, in an environment of its own.
test-matrix:
	@for python in $(PYTHONS); do \
	  version=$$($$python -c 'import platform as p; print(p.python_version())' \
	    2>/dev/null); \
	  if test -z "$$version"; then skipped="$$skipped $$python"; \
	  elif $(MAKE) test PYTHON3=$$python VENV=$(VENV)-$$version; \
	  then passed="$$passed $$version"; else failed="$$failed $$version"; fi; \
	done; \
	echo "passed:$${passed:- none}; failed:$${failed:- none};" \
	  "skipped, as it does not start here:$${skipped:- none}"; \
	test -n "$$passed" && test -z "$$failed"

# Wrong signs, factors, detachments and means, each of which must fail a test:
# half an hour on two idle cores. `make mutations OF='losses steps'` takes some.
mutations: $(VENV)/installed
	$(PYTHON) tests/mutations.py $(OF)

lint: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# The site of the documentation, into site/: every warning fails. To read it with
# its search: python3 -m http.server --directory site
NOTEBOOKS = $(patsubst docs/%,runs/%,$(wildcard docs/notebooks/*.ipynb))
docs: $(VENV)/installed $(NOTEBOOKS)
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

# Each takes a minute or two; `make docs NOTEBOOKS=` goes without their outputs.
runs/notebooks/%.ipynb: docs/notebooks/%.ipynb | $(VENV)/installed
	$(PYTHON) -m nbconvert --to notebook --execute --output-dir $(@D) $<

# Kills, full disks and damaged files; a table of what survived (SOAK=--help).
SOAK ?= --minutes 30 --seed 0
soak: $(VENV)/installed
	$(PYTHON) -m tests.soak $(SOAK)

benchmark: $(VENV)/installed
	$(PYTHON) -m experiments.benchmark

$(VENV)/installed: pyproject.toml
	$(PYTHON3) -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --upgrade pip
	$(PYTHON) -m pip install --quiet --editable '.[all,dev]'
	touch $@
