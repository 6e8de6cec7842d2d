# Gantry's commands. `make help` lists them; `make run` is the only one a newcomer needs.

# Any of these; the first that works is used. Set PYTHON=/path/to/python to choose.
CANDIDATES := python3.11 python3.12 python3.13 python3
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for name in $(CANDIDATES); do \
	"$$name" -c '$(SUPPORTED)' 2>/dev/null && command -v "$$name" && break; done)

BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check
UV_COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header

.DEFAULT_GOAL := help
.PHONY: help setup dev run check test browser bench lock

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 14

setup: .venv/.installed ## install what Gantry needs into .venv (again only when it changed)

run: .venv/.installed ## start everything, print the address and the demo's logins
	@exec $(BIN)/python -m core.embedded

check: .venv/.installed-dev ## lint, format, types, layers, templates, Django's own checks
	@failed=0; \
	check() { \
		name=$$1; shift; \
		if output=$$("$$@" 2>&1); then echo "ok      $$name"; \
		else failed=1; echo "FAILED  $$name"; echo "$$output" | sed 's/^/        /'; fi; \
	}; \
	check "ruff"                $(BIN)/ruff check -q --output-format concise . ; \
	check "ruff format"         $(BIN)/ruff format --check --output-format concise . ; \
	check "house rules"         $(BIN)/python -m core.lint ; \
	check "mypy"                $(BIN)/mypy . ; \
	check "import-linter"       $(BIN)/lint-imports ; \
	check "djade"               $(BIN)/djade --target-version 5.2 --check \
		$$(find templates -name '*.html') ; \
	check "system checks"       $(BIN)/python manage.py check --fail-level WARNING ; \
	check "missing migrations"  $(BIN)/python manage.py makemigrations --check --dry-run ; \
	exit $$failed

# Where one missed branch would let an organization see another, or a wrong value win.
WHOLLY_COVERED := core/tenancy.py,core/access.py,settings_hierarchy/resolution.py,sdk_keys/tokens.py

# Half of the suite waits for whole products, sockets and browsers: it runs beside the other half,
# each with servers of its own.
WAITING := tests/e2e tests/embedded tests/sdks tests/ui

test: .venv/.installed-dev browser ## run the suite against real servers (ARGS=… goes to pytest)
	@$(BIN)/coverage erase; \
	if [ -n "$(ARGS)" ]; then \
		$(BIN)/coverage run -m pytest $(ARGS); status=$$?; \
		$(BIN)/coverage combine -q; $(BIN)/coverage report; exit $$status; \
	fi; \
	beside=$$(mktemp); \
	$(BIN)/coverage run -m pytest $(WAITING) >$$beside 2>&1 & other=$$!; \
	$(BIN)/coverage run -m pytest tests $(WAITING:%=--ignore=%); status=$$?; \
	wait $$other || status=1; cat $$beside; rm -f $$beside; \
	$(BIN)/coverage combine -q || status=1; \
	$(BIN)/coverage report --fail-under=90 || status=1; \
	$(BIN)/coverage report --fail-under=100 --include=$(WHOLLY_COVERED) || status=1; \
	exit $$status

bench: .venv/.installed-dev ## measure every figure; fails when one misses its goal
	@failed=0; \
	for script in benchmarks/*.py; do \
		case $$script in */_*) continue;; esac; \
		echo "# $$script"; $(BIN)/python $$script --json || failed=1; \
	done; \
	exit $$failed

lock: .venv/.installed ## pin the newest versions that requirements*.in allow, with hashes
	@$(PIP_INSTALL) uv
	@$(UV_COMPILE) --upgrade -o requirements.txt requirements.in
	@$(UV_COMPILE) --upgrade -o requirements-dev.txt requirements-dev.in

# Browser tests need Chromium; only CI, or somebody who says so, gets it installed.
browser:
	@if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && { [ "$$CI" = true ] || [ "$$GANTRY_INSTALL_BROWSER" = 1 ]; } \
		&& command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the browser tests…"; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else \
		echo "#############################################################################"; \
		echo "# NO CHROMIUM: THE BROWSER TESTS ARE SKIPPED.                               #"; \
		echo "# Install it (apt-get install chromium), or as root GANTRY_INSTALL_BROWSER=1 #"; \
		echo "#############################################################################"; \
	fi

# Everything is pinned, so nothing is resolved: --no-deps also leaves out the data-frame packages
# that ClickHouse's wheel asks for and does not need.
.venv/.installed: requirements.txt | .venv/bin/python
	@echo "Installing Gantry's packages into .venv (about 250 MB; once)…"
	@$(PIP_INSTALL) --no-deps --require-hashes -r requirements.txt
	@touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	@echo "Installing the development tools into .venv…"
	@$(PIP_INSTALL) --no-deps --require-hashes -r requirements-dev.txt
	@touch $@

.venv/bin/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Gantry needs Python 3.11, 3.12 or 3.13, and none was found on the PATH:" \
			"install one, or name it with make PYTHON=/path/to/python." >&2; exit 1; \
	fi
	@"$(PYTHON)" -m venv .venv
