# Every verb of the project; `make` alone lists them.
# A fresh machine needs Python 3.11+, git and make. Everything is installed into .venv, nothing outside it,
# except Chromium for the page tests (Debian's, when it is missing and we may: see scripts/browser).

PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
BENCH ?=
DEMO ?= runs/demo

BIN := .venv/bin
# What the studio's page is built from, when Cutaway is installed: an edit of it installs, and so builds, again.
WEB := hatch_build.py $(shell find web -name node_modules -prune -o -type f -print 2>/dev/null)
PIP := $(BIN)/python -m pip install -qq --no-input --disable-pip-version-check $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
# One test process per core and one thread in each: two torch processes that share threads would wait for one another.
PYTEST := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive PYTHONUNBUFFERED=1 \
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-long lint format bench docs shots browser web clean distclean

help:  ## List these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: .venv/.stamp-base  ## Install, train on embedded handwritten digits, write and name the report (offline once installed)
	@if [ -f $(DEMO)/report.html ]; then echo "The demo has been run (remove $(DEMO) to run it again):"; $(BIN)/cutaway report $(DEMO); \
	elif [ -e $(DEMO) ]; then $(BIN)/cutaway resume $(DEMO); \
	else $(BIN)/cutaway train digits --out $(DEMO); fi
	@command -v cutaway > /dev/null || echo "(cutaway is $(BIN)/cutaway here; '. $(BIN)/activate' puts it on your path.)"

test: .venv/.stamp-dev browser lint web  ## Everything a change must pass: lint, types, tests (minutes)
	@$(PYTEST) -m "not slow"

test-long: .venv/.stamp-dev browser  ## The tests marked slow (killed and resumed runs, every network, real photos)
	@$(PYTEST) -m slow

lint: .venv/.stamp-dev  ## Formatting, lint rules, strict types
	@$(BIN)/ruff format --check --quiet --output-format concise . || { echo "'make format' puts these files in order."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary

format: .venv/.stamp-dev  ## Put the code in order: ruff format, ruff check --fix
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

bench: .venv/.stamp-base  ## Measure beside the peers, write benchmarks/results, renew README (BENCH=name for one)
	@$(BIN)/python -m benchmarks $(or $(BENCH),all); status=$$?; $(BIN)/python scripts/readme_results.py; exit $$status

docs: .venv/.stamp-dev  ## Build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict && echo "Open site/index.html"

shots: .venv/.stamp-dev browser  ## Screenshots of every page of the studio, light and dark, into runs/shots
	@$(BIN)/python scripts/studio_shots.py

browser:
	@scripts/browser

web: .venv/.stamp-dev
	@$(BIN)/python scripts/web_tests.py

clean:  ## Remove what the verbs made, except .venv and runs
	@rm -rf site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean  ## clean, and remove .venv, .venv-bench, the studio's built page and its tools
	@rm -rf .venv .venv-bench web/node_modules src/cutaway/studio/static

# Stamps: a second call installs nothing; a change of pyproject.toml, of the pinned versions or of the page installs again.
.venv/bin/python:
	@scripts/venv "$(PYTHON)"

.venv/.stamp-base: pyproject.toml $(CONSTRAINTS) $(WEB) | .venv/bin/python
	@echo "Installing Cutaway into .venv (PyTorch is large: some minutes the first time) ..."
	@$(PIP) -e .
	@touch $@

.venv/.stamp-dev: pyproject.toml $(CONSTRAINTS) $(WEB) | .venv/bin/python
	@echo "Installing Cutaway and what its tests need into .venv (some minutes the first time) ..."
	@$(PIP) -e '.[dev]'
	@touch .venv/.stamp-base $@
