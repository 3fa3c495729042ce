"""The suite over the Pythons found on this machine and each SQLAlchemy: make matrix."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nox

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
SQLALCHEMY = {"1.4": "~=1.4.54", "2.0": "~=2.0.0", "2.1": "~=2.1.0"}

nox.options.default_venv_backend = "venv"


def candidates(version: str) -> Iterator[str]:
    """Where this Python may be: on PATH, or among the versions pyenv keeps."""
    name = f"python{version}"
    on_path = shutil.which(name)
    if on_path:
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/{name}")))


def runs(python: str, version: str) -> bool:
    """Whether this is that Python indeed, and no shim for one that is not there."""
    code = "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() == version


def found() -> dict[str, str]:
    """Each Python that runs here, by version."""
    pythons = {}
    for version in PYTHONS:
        for candidate in candidates(version):
            if runs(candidate, version):
                pythons[version] = candidate
                break
    return pythons


FOUND = found()
# nox looks for pythonX.Y along PATH.
os.environ["PATH"] = os.pathsep.join(
    [os.environ["PATH"], *(str(Path(python).parent) for python in FOUND.values())]
)

# SQLAlchemy 2.1 is for Python 3.11 and later.
MATRIX = [
    nox.param(python, sqlalchemy, id=f"python{python}-sqlalchemy{sqlalchemy}")
    for python in FOUND
    for sqlalchemy in SQLALCHEMY
    if (python, sqlalchemy) != ("3.10", "2.1")
]


@nox.session
@nox.parametrize("python,sqlalchemy", MATRIX)
def suite(session: nox.Session, sqlalchemy: str) -> None:
    """The suite against connmon installed with one SQLAlchemy; arguments name tests."""
    # Or a module since removed would go into the wheel.
    shutil.rmtree("build", ignore_errors=True)
    session.install(".[test]", f"sqlalchemy{SQLALCHEMY[sqlalchemy]}")
    environment = Path(session.virtualenv.location).resolve()
    tests = [f"TESTS={' '.join(session.posargs)}"] if session.posargs else []
    session.run("make", "suite", f"ENV={environment}", *tests, external=True)
