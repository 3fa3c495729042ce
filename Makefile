# make demo    see connmon at work: its own environment, a node, applications, a console
# make test    the test suite, against connmon installed as a user would have it
# make check   formatting, lint, types, directions of imports
# make matrix  the suite over the Pythons found (3.10-3.13) and each SQLAlchemy
# make clean   remove all of the above
#
# PYTHON=python3.12 make ...    another interpreter
# make demo ARGS="--seconds 30" options for the demo
# make test TESTS=tests.model   a part of the suite; for the matrix too
# make matrix ONLY=python3.11-sqlalchemy1.4

PYTHON ?= python3
TESTS ?= tests

DEMO := .venv-demo
TEST := .venv-test
CHECK := .venv-check

# What an installation depends on; the directories notice a file that was removed.
SOURCES := setup.py pyproject.toml $(wildcard README.rst connmon.cfg) \
	$(shell find connmon twisted -name __pycache__ -prune -o -type d -print -o -name '*.py' -print)

# Warnings are errors, but for the one by which Python 3.12 and later greet any fork beside
# a thread: Twisted forks to start a program on a pseudo-terminal.
WARNINGS := error,ignore:This process (pid=:DeprecationWarning

SEEN := $(filter-out connmon twisted build dist %.egg-info,$(wildcard *))

.PHONY: demo test suite check matrix clean
.NOTPARALLEL:

demo: $(DEMO)/.installed
	@exec $(DEMO)/bin/connmon demo $(ARGS)

test: $(TEST)/.installed
	@$(MAKE) --no-print-directory suite ENV=$(TEST)

# The suite by the Python of $(ENV), in a directory where tests/ is to be seen, and all
# else but connmon itself, so that the installed connmon is what is tested, plugin and all.
suite:
	@mkdir -p $(ENV)/suite && find $(ENV)/suite -maxdepth 1 -type l -delete
	@ln -s $(addprefix $(CURDIR)/,$(SEEN)) $(ENV)/suite
	@cd $(ENV)/suite && PYTHONWARNINGS='$(WARNINGS)' exec ../bin/python -m twisted.trial $(TESTS)

check: $(CHECK)/.installed
	$(CHECK)/bin/ruff format --check .
	$(CHECK)/bin/ruff check .
	$(CHECK)/bin/mypy
	$(CHECK)/bin/lint-imports

matrix: $(CHECK)/.installed
	$(CHECK)/bin/nox --error-on-missing-interpreters \
		--session '$(if $(ONLY),suite($(ONLY)),suite)' -- $(TESTS)

clean:
	rm -rf .venv-demo .venv-test .venv-check .nox build dist *.egg-info _trial_temp*
	rm -rf .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# An environment each. build/ goes first: setuptools would put what it finds there, a
# module since removed too, into the wheel.
$(DEMO)/.installed: WHAT := .
$(TEST)/.installed: WHAT := .[test]
$(CHECK)/.installed: WHAT := .[test,dev]

$(DEMO)/.installed $(TEST)/.installed $(CHECK)/.installed: %/.installed: $(SOURCES) | %/bin/pip
	@echo "Installing connmon into $* ..."
	@rm -rf build
	@$*/bin/pip install --quiet --disable-pip-version-check "$(WHAT)"
	@rm -rf build
	@touch $@

$(DEMO)/bin/pip $(TEST)/bin/pip $(CHECK)/bin/pip: %/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "connmon needs Python 3.10 or later as $(PYTHON); try PYTHON=python3.11 make $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "connmon needs the Debian package python3-venv: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $*
