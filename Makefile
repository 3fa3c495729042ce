# make demo    see connmon at work: its own environment, a node, applications, a console
# make test    the test suite, against connmon installed as a user would have it
# make check   formatting, lint, types, directions of imports
# make matrix  the suite over the Pythons found (3.10-3.13) and each SQLAlchemy
# make hosts   connmon inside real servers, workers and loops: gunicorn, uWSGI, Celery, ...
#              (needs a C compiler and the headers of the Python; see docs/hosts.rst)
# make bench   what connmon costs, beside its rivals (see benchmarks/README.rst)
# make picture docs/screen.svg, which the README shows, from the demo; takes 80 seconds
# make pypy    the client's and the model's tests on a PyPy fetched from Debian
# make clean   remove all of the above
#
# PYTHON=python3.12 make ...    another interpreter
# make demo ARGS="--seconds 30" options for the demo
# make test TESTS=tests.model   a part of the suite; for the matrix and the hosts too
# make test JOBS=1              one test after the other: with output as they go
# make matrix ONLY=python3.11-sqlalchemy1.4

PYTHON ?= python3
# All there are but the hosts', which need more than the suite does.
TESTS ?= $(filter-out tests.hosts,$(subst /,.,$(PACKAGES:/__init__.py=) $(MODULES:.py=)))
PACKAGES := $(wildcard tests/*/__init__.py)
MODULES := $(wildcard tests/test_*.py)

# Most tests of the whole wait for processes, so two at a time take 60 % of the time.
JOBS ?= 2

DEMO := .venv-demo
TEST := .venv-test
HOSTS := .venv-hosts
BENCH := .venv-bench
CHECK := .venv-check

# What an installation depends on; the directories notice a file that was removed.
SOURCES := setup.py pyproject.toml $(wildcard README.rst connmon.cfg) \
	$(shell find connmon twisted -name __pycache__ -prune -o -type d -print -o -name '*.py' -print)

# Warnings are errors, but for the one by which Python 3.12 and later greet any fork beside
# a thread: Twisted forks to start a program on a pseudo-terminal.
WARNINGS := error,ignore:This process (pid=:DeprecationWarning

SEEN := $(filter-out connmon twisted build dist %.egg-info,$(wildcard *))

.PHONY: demo test suite check matrix hosts bench picture pypy clean
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
	@cd $(ENV)/suite && PYTHONWARNINGS='$(WARNINGS)' exec ../bin/python -m twisted.trial \
		$(if $(filter-out 1,$(JOBS)),-j$(JOBS)) $(TESTS)

# TESTS only as given: the default is what this leaves to the suite. One after the other,
# for some of the servers take a machine for themselves.
hosts: $(HOSTS)/.installed $(HOSTS)/threadless
	@CONNMON_REQUIRE_HOSTS=1 CONNMON_REQUIRE_SERVERS=1 \
		$(MAKE) --no-print-directory suite ENV=$(HOSTS) JOBS=1 \
		TESTS="$(if $(filter file,$(origin TESTS)),tests.hosts,$(TESTS))"

check: $(CHECK)/.installed
	$(CHECK)/bin/ruff format --check .
	$(CHECK)/bin/ruff check .
	$(CHECK)/bin/mypy
	$(CHECK)/bin/lint-imports
	set -e; for each in *.rst docs/*.rst benchmarks/*.rst; do \
		$(CHECK)/bin/python -m docutils --halt=warning "$$each" /dev/null; done

matrix: $(CHECK)/.installed
	$(CHECK)/bin/nox --error-on-missing-interpreters \
		--session '$(if $(ONLY),suite($(ONLY)),suite)' -- $(TESTS)

# A uWSGI like Debian 12's, the last to give the program's threads no turn unless told to.
$(HOSTS)/threadless: | $(HOSTS)/.installed
	@$(HOSTS)/bin/pip install --quiet --disable-pip-version-check --no-deps \
		--target $@ 'uWSGI==2.0.26; python_version < "3.13"'
	@mkdir -p $@

bench: $(BENCH)/.installed
	@exec $(BENCH)/bin/python -m benchmarks $(ARGS)

picture: $(TEST)/.installed
	@$(TEST)/bin/python docs/picture.py docs/screen.svg

pypy:
	@.ci/pypy

clean:
	rm -rf .venv-demo .venv-test .venv-hosts .venv-bench .venv-check .nox .pypy build dist *.egg-info _trial_temp*
	rm -rf .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# An environment each. build/ goes first: setuptools would put what it finds there, a
# module since removed too, into the wheel.
$(DEMO)/.installed: WHAT := .
$(TEST)/.installed: WHAT := .[test]
$(HOSTS)/.installed: WHAT := .[test,hosts]
$(CHECK)/.installed: WHAT := .[test,dev]

$(DEMO)/.installed $(TEST)/.installed $(HOSTS)/.installed $(CHECK)/.installed: \
		%/.installed: $(SOURCES) | %/bin/pip
	@echo "Installing connmon into $* ..."
	@rm -rf build
	@$*/bin/pip install --quiet --disable-pip-version-check "$(WHAT)"
	@rm -rf build
	@touch $@

$(DEMO)/bin/pip $(TEST)/bin/pip $(HOSTS)/bin/pip $(CHECK)/bin/pip: %/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "connmon needs Python 3.10 or later as $(PYTHON); try PYTHON=python3.11 make $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "connmon needs the Debian package python3-venv: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $*

# Figures are compared on Python 3.13, and on others where that is asked for.
$(BENCH)/.installed: $(BENCH)/.rivals $(SOURCES)
	@echo "Installing connmon into $(BENCH) ..."
	@rm -rf build
	@$(BENCH)/bin/pip install --quiet --disable-pip-version-check --no-deps .
	@rm -rf build
	@touch $@

$(BENCH)/.rivals: benchmarks/requirements.txt benchmarks/requirements-tls.txt
	@echo "Installing what connmon is compared with into $(BENCH) ..."
	@$(if $(filter file,$(origin PYTHON)),$(NEWEST),python=$(PYTHON)); \
		"$$python" -m venv --clear $(BENCH)
	@$(BENCH)/bin/pip install --quiet --disable-pip-version-check -r $<
	@$(BENCH)/bin/pip install --quiet --disable-pip-version-check --no-deps \
		--target $(BENCH)/tls -r benchmarks/requirements-tls.txt
	@touch $@

# A python3.13 that really runs, on PATH or among those pyenv keeps, else $(PYTHON).
NEWEST = for python in python3.13 $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.13.*/bin/python3.13 \
	$(PYTHON); do "$$python" -c 'import venv' 2>/dev/null && break; done
