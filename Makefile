# Everything here needs only Python 3.11+ and make; `.venv` is made on first use from the locked dependencies.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Tests at a time: they wait for half of it.
JOBS ?= 4
CHOSEN = $(if $(AGAIN),--last-failed --last-failed-no-failures none,-n $(JOBS) --dist loadgroup)

.PHONY: help demo test test-postgres check prove bench docs format lock install clean

help:  ## Show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

install: $(INSTALLED)  ## Make .venv with everything that is locked

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; try make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the locked dependencies into $(VENV) (about a minute, once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(INSTALLED)  ## The whole circle on a sample org; no account is needed
	@$(BIN)/connector demo; code=$$?; [ $$code -eq 1 ] || exit $$code

test: $(INSTALLED)  ## Every test, the ledger in SQLite (AGAIN=1: those that failed, one at a time)
	@$(BIN)/python -m pytest $(CHOSEN)

test-postgres: $(INSTALLED)  ## Those that use a ledger again, in PostgreSQL, without a browser (ALL=1: every test)
	@$(BIN)/python -m tests.postgres $(BIN)/python -m pytest $(CHOSEN) $(if $(ALL),,-m "ledger and not browser")

check: $(INSTALLED)  ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

prove: $(INSTALLED)  ## The proofs of exactly-once at length, with figures (JSON=file keeps them, SEED=n repeats them)
	@$(BIN)/python tests/prove.py $(if $(JSON),--json $(JSON)) $(if $(SEED),--seed $(SEED))

bench: $(INSTALLED)  ## Measure; ratios within one run
	@$(BIN)/python tests/bench.py

docs: $(INSTALLED)  ## Make the pages of docs/ that come from the code
	@$(BIN)/python -m tests.pages

format: $(INSTALLED)  ## Put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(INSTALLED)  ## Renew requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --upgrade -o requirements.lock

clean:  ## Remove what was made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
