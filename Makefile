# Everything starts here. `make demo` and `make test` set up what is missing.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLASS ?= demo
CHAPTERS ?=
DEMO ?= $(or $(CHAPTERS),1 4)
READY := $(VENV)/.ready

.PHONY: help demo test release-check lint check lab site bench bench-grading numbers clean

help:
	@echo "make demo    a simulated class of two dozen, from release to graded feedback"
	@echo "             make demo TORCH=cpu: PyTorch without CUDA, 0.3 GB instead of 3"
	@echo "             make demo STUDENTS=all: one student for every misconception"
	@echo "make test    lint, types and tests           make release-check   what takes too long for every day"
	@echo "make lab     JupyterLab on the students' notebooks"
	@echo "make site    the course's pages for the world, in build/site (runs every chapter once)"
	@echo "make bench   speed, as ratios in one run        make bench-grading   speed of grading"
	@echo "make numbers the chapters' figures over several seeds (takes long)"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say which one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (a few minutes the first time) …"
	@$(if $(filter cpu,$(TORCH)),$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  torch torchvision --index-url https://download.pytorch.org/whl/cpu)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY)
	@echo "A simulated class in $(CLASS): release, hand-in, grading, feedback …"
	@$(BIN)/classroom demo $(CLASS) $(DEMO) $(if $(filter all,$(STUDENTS)),--all)

lint: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

check: lint
	@$(BIN)/pytest -n auto --dist loadfile -m "not long"

test: check

release-check: lint
	@$(BIN)/python tests/release/check.py $(STEPS)

lab: $(READY)
	@$(BIN)/classroom notebooks build/notebooks $(CHAPTERS)
	@$(BIN)/jupyter lab build/notebooks/START.ipynb

site: $(READY)
	@$(BIN)/classroom site build/site $(CHAPTERS)

bench: $(READY)
	@$(BIN)/python benchmarks/attributions.py
	@$(BIN)/python benchmarks/lime.py
	@$(BIN)/python benchmarks/checks.py

bench-grading: $(READY)
	@$(BIN)/python benchmarks/grading.py

numbers: $(READY)
	@for script in benchmarks/numbers_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs/architecture.svg: docs/architecture.dot
	@dot -Tsvg $< -o $@

clean:
	rm -rf build demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
