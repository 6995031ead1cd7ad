# make demo · make run · make test: each sets up what it needs by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA_DIR ?= var
export DATA_DIR

TESTS_TOGETHER := $(BIN)/python -m pytest -m "not (alone or by_two or waiting)" --numprocesses 3 --dist worksteal
TESTS_WAITING := $(BIN)/python -m pytest -m "waiting and not alone" --numprocesses 4 --dist loadfile
TESTS_BY_TWO := $(BIN)/python -m pytest -m by_two --numprocesses 2 --dist loadfile
TESTS_ALONE := $(BIN)/python -m pytest -m alone

.PHONY: run demo test faults lint clean

run: $(VENV)/ready
	@exec $(BIN)/python manage.py serve

# The demo's data stays apart from real data.
demo: $(VENV)/ready
	@DATABASE_URL= REDIS_URL= DATA_DIR=$(DATA_DIR)/demo exec $(BIN)/python manage.py demo

# Everything on SQLite, with messages passed on in memory; then on PostgreSQL with Redis, which are started for it. What mostly
# waits runs several files at a time: for browsers four, for servers of its own two, which bring their own engines and so run
# once. What loads the machine, or measures it, comes by itself.
test: $(VENV)/ready-for-tests lint
	@$(BIN)/python -m tests.browser.install
	@$(BIN)/python -m tests.browser.lighthouse
	@$(BIN)/python -m tests.cluster.nginx
	DATABASE_URL= REDIS_URL= $(TESTS_TOGETHER)
	DATABASE_URL= REDIS_URL= $(TESTS_WAITING)
	DATABASE_URL= REDIS_URL= $(TESTS_BY_TWO)
	DATABASE_URL= REDIS_URL= $(TESTS_ALONE)
	$(BIN)/python -m tests.engines $(TESTS_TOGETHER)
	$(BIN)/python -m tests.engines $(TESTS_WAITING)
	$(BIN)/python -m tests.engines $(TESTS_ALONE)

# What `make test` does shortly, as long as it lasts in earnest; each scenario says what it measured.
faults: $(VENV)/ready-for-tests
	DATABASE_URL= REDIS_URL= $(BIN)/python -m pytest tests/faults --full -s
	$(BIN)/python -m tests.engines $(BIN)/python -m pytest tests/faults --full -s

lint: $(VENV)/ready-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run

clean:
	rm -rf $(VENV)

$(VENV)/ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Ringdesk needs Python 3.11 or later as $(PYTHON); set PYTHON=... to one."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is missing; on Debian: apt-get install python3-venv."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

$(VENV)/ready-for-tests: $(VENV)/ready requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@
