# Two commands: `make run` and `make test`. They need Python 3.11, 3.12 or 3.13, and nothing else.

.DEFAULT_GOAL := help
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py
APPS := config campaigns tracking templates_app recipients
STATE := $(or $(GODWIT_STATE_DIR),.godwit)
UV := 0.13.8

# The first one on the PATH that fits, or one that is named: make run PYTHON=/path/to/python3.12
FIT := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c "$(FIT)" 2>/dev/null && echo $$name && break; done)

# What `check --deploy` is asked about: an installation as it is in production.
PRODUCTION = SITE_URL=https://news.example.org ALLOWED_HOSTS= DEBUG=0 \
	SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))') \
	DATABASE_URL=postgres://godwit@db.example.org/godwit REDIS_URL=redis://redis.example.org

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: install ## start everything on this machine (PORT=8000), until Ctrl-C
	@$(MANAGE) run $(if $(PORT),--port $(PORT))

.PHONY: demo
demo: install ## send the demo campaign to 1,000 recipients, print what became of each, stop
	@$(MANAGE) demo

.PHONY: test
test: install check ## run all checks and all tests
	@INSTALL_BROWSER=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

# No server is up for `makemigrations`; which migrations were applied to one is not the question.
.PHONY: check
check: install ## lint, types, import contracts, migrations, settings for production, known vulnerabilities
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@find $(APPS) -path '*/templates/*.html' | xargs $(BIN)/djade --check --target-version 5.2
	@$(BIN)/mypy --no-error-summary .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -W 'ignore:Got an error checking' manage.py makemigrations --check --dry-run
	@$(PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING
	@$(BIN)/python requirements/audit.py

.PHONY: editor
editor: ## bundle the source editor of templates anew, of config/editor (needs npm)
	@cd config/editor && npm ci --no-audit --no-fund && npm run --silent build && node licences.mjs
	@cd config && sha256sum editor/editor.js editor/package-lock.json static/godwit/vendor/editor.min.js > editor/SHA256SUMS

.PHONY: docs
docs: install $(VENV)/documentation/installed ## make the documentation's site, with the references of commands and API
	@$(MANAGE) write_reference docs/reference
	@NO_MKDOCS_2_WARNING=1 $(VENV)/documentation/bin/mkdocs build --quiet --strict --site-dir $(abspath $(STATE))/documentation
	@echo 'the documentation is in $(STATE)/documentation/index.html'

# Apart from the product's packages, which have nothing to do with it.
$(VENV)/documentation/installed: requirements/documentation.txt
	@$(PYTHON) -m venv $(VENV)/documentation
	@$(VENV)/documentation/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
		--require-hashes --requirement $<
	@touch $@

.PHONY: pictures
pictures: install ## do the main job in a browser, and take the pictures of the README anew
	@PICTURES=docs/images $(BIN)/python -m pytest -q -s tests/browser/test_main_job.py

.PHONY: bench
bench: install ## measure how fast a campaign to 100,000 recipients (N=…) is sent, composing alone, opens and clicks (needs wrk)
	@$(MANAGE) benchmark_send $(if $(N),--recipients $(N))
	@$(MANAGE) benchmark_compose
	@$(MANAGE) benchmark_tracking

.PHONY: stress
stress: install ## compare 1, 2 and 4 workers with sending 10,000 messages (N=…) one by one
	@$(MANAGE) stress $(if $(N),--recipients $(N)) --csv $(STATE)/stress.csv --svg $(STATE)/stress.svg

.PHONY: chaos
chaos: install ## kill and restart everything at random while 20,000 (N=…) are mailed (SEED=…)
	@$(MANAGE) chaos $(if $(N),--recipients $(N)) $(if $(SEED),--seed $(SEED))

.PHONY: soak
soak: install ## run the fault tests that take minutes each, which `make test` leaves out
	@$(BIN)/python -m pytest tests/soak -m soak -rA --durations=0

# On loopback: it shows and stops tasks, and asks nobody who they are.
.PHONY: flower
flower: install ## watch workers and tasks at http://localhost:5555/ (PORT=5555)
	@$(BIN)/celery -A config flower --address=127.0.0.1 --port=$(or $(PORT),5555)

.PHONY: services
services: install ## start PostgreSQL and Redis alone (do=status, do=down)
	@$(MANAGE) services $(or $(do),up)

.PHONY: install
install: $(VENV)/installed ## make .venv with all packages, each checked by its hash
	@:

$(VENV)/installed: requirements/development.txt
	@$(or $(PYTHON),false) -c "$(FIT)" 2>/dev/null || { echo 'error: Godwit needs Python 3.11,' \
		'3.12 or 3.13: install one, or name it: make run PYTHON=/path/to/python3.12' >&2; exit 1; }
	@echo 'installing into $(VENV) (a minute, the first time)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
		--require-hashes --requirement $<
	@touch $@

.PHONY: lock
lock: ## compile requirements/*.in to *.txt again, with the newest versions
	@$(PYTHON) -m venv $(STATE)/uv
	@$(STATE)/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV)
	@for name in base production development documentation audit; do \
		$(STATE)/uv/bin/uv pip compile --quiet --upgrade --universal --fork-strategy fewest \
			--python-version 3.11 --generate-hashes --no-header --no-annotate \
			requirements/$$name.in --output-file requirements/$$name.txt || exit 1; done
	@rm -rf $(STATE)/uv

.PHONY: clean
clean: ## delete what can be made again: .venv and caches; data in .godwit stay
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis \
		.coverage htmlcov
	@find . -name __pycache__ -prune -exec rm -rf {} +
