# Python 3.11 or newer and make are all that is needed; `make help` tells what there is.
SHELL := /bin/sh
# Any Python will do to find the one that the environment is made with; PYTHON=/path/to/python3 names that one instead.
FINDER = $(shell for each in python3 python3.13 python3.12 python3.11; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$each"; break; }; done)
VENV := .venv
RUN := $(VENV)/bin/python
RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed
# Python compiles what it installs on every core; pip would on one.
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --no-compile
COMPILE := $(RUN) -m compileall -qq -j 0 $(VENV)/lib || true

# Else each process compiles all that it imports, which takes seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo inbox picture up development test check coverage bench faults fuzz pictures gallery system-packages translations clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## ?/  make \1\t/' | expand -t 26

demo: $(RUNTIME) ## the whole three-mail job on invented contacts (CONTACTS=file.csv: on yours), then a checked ledger
	@$(RUN) -m local.demo $(if $(CONTACTS),--contacts "$(CONTACTS)")

inbox: $(RUNTIME) ## the e-mails of the last demo on http://127.0.0.1:8025 until Ctrl-C (PORT=8030: there)
	@exec $(RUN) -m local.mail.inbox --store var/demo/inbox --smtp-port 0 --http-port $(or $(PORT),8025)

picture: $(RUNTIME) ## docs/picture.svg for the README, drawn from a real run of the demo
	@$(RUN) -m local.demo --picture docs/picture.svg

up: $(RUNTIME) ## everything running on http://127.0.0.1:8000 until Ctrl-C
	@exec $(RUN) -m local.up

development: $(DEVELOPMENT) ## install what tests and checks need

test: $(DEVELOPMENT) ## run all tests, on every core
	@$(RUN) -m pytest -n auto --dist worksteal -q

check: $(DEVELOPMENT) ## check style, format, types and imports
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

coverage: $(DEVELOPMENT) ## run the tests (not those of speed) and report the branch coverage of engine; fails below 95 %
	@rm -rf var/coverage && mkdir -p var/coverage
	@$(RUN) -m coverage run -m pytest -n auto --dist worksteal -q -m "not speed"
	@$(RUN) -m coverage combine -q
	@$(RUN) -m coverage report

bench: $(DEVELOPMENT) ## measure speed, cost and memory as a table and JSON lines (half an hour; LONG=1: twice that)
	@$(RUN) -m bench $(if $(LONG),--long)

faults: $(DEVELOPMENT) ## kill real processes, more than 300 of them, and audit every message (FAULTS_SEED=7: another run)
	@FAULTS=long $(RUN) -m pytest -q tests/faults

fuzz: $(DEVELOPMENT) ## 60,000 calls, 10,000 templates and 10,000 robots that are made up, half an hour (FUZZ_SEED=7: other calls)
	@FUZZ=long $(RUN) -m pytest -n auto --dist worksteal -q tests/web/http/test_schema.py tests/web/http/test_bodies.py tests/web/http/test_texts.py tests/engine/templates \
		tests/engine/messages tests/engine/tracking/test_tokens.py tests/models/test_arrays.py tests/web/public/forms/test_robots.py --timeout 7200

pictures: $(DEVELOPMENT) ## pictures of all e-mails and readers' pages in var/pictures: three widths, light and dark
	@$(RUN) -m tests.pictures var/pictures

gallery: $(DEVELOPMENT) ## pictures of the pages below /app in docs/pages, and their section of docs/pages.md
	@$(RUN) -m tests.gallery

system-packages: $(RUN) ## postfix's tools for `make bench`, PgBouncer, nginx, libfaketime (unpacked into var/, not started), chromium
	@$(RUN) -m bench.testbed.postfix
	@$(RUN) -m tests.debian
	@command -v chromium-headless-shell >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "installing chromium …"; \
			install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$1" >/dev/null; }; \
			apt-get update -qq; install chromium-headless-shell || command -v chromium || install chromium; \
		elif ! command -v chromium chromium-browser google-chrome >/dev/null; then \
			echo "no chromium is here, so the browser tests are skipped: sudo apt-get install chromium-headless-shell"; fi; }

translations: $(DEVELOPMENT) ## collect the texts of the pages, list those without a Spanish translation, and compile
	@$(RUN) -m web.pages.frame.catalog

clean: ## remove the virtual environment and all local state (var/)
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(RUN):
ifdef PYTHON
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11; name a newer one with PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "making $(VENV) with $(PYTHON) …"
	@"$(PYTHON)" -m venv $(VENV)
else
	@test -n "$(FINDER)" || { echo "Python 3.11 or newer is needed; name it with PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "making $(VENV) …"
	@"$(FINDER)" local/interpreter.py $(VENV)
endif

$(RUNTIME): requirements.txt | $(RUN)
	@echo "installing what Cadencia runs on …"
	@$(PIP) -r requirements.txt
	@$(COMPILE)
	@touch $@

$(DEVELOPMENT): requirements-dev.txt requirements.txt | $(RUN)
	@echo "installing what tests and checks need …"
	@$(PIP) -r requirements-dev.txt
	@$(COMPILE)
	@touch $@ $(RUNTIME)
