"""What connmon is to pip: its parts, what it needs, and the names it is found under."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

# Every driver that SQLAlchemy 1.4, 2.0 or 2.1 has a dialect for. Entry points are
# static, so the URL form ``dialect+driver_connmon://`` needs one for each; a driver
# missing here still works with ``?plugin=connmon``.
DRIVERS = {
    "mysql": "mysqldb pymysql aiomysql asyncmy cymysql mariadbconnector"
    " mysqlconnector pyodbc oursql",
    "mariadb": "mysqldb pymysql aiomysql asyncmy cymysql mariadbconnector"
    " mysqlconnector pyodbc oursql",
    "postgresql": "psycopg2 psycopg psycopg_async psycopg2cffi asyncpg pg8000"
    " pygresql pypostgresql",
    "sqlite": "pysqlite aiosqlite pysqlcipher pysqlite_numeric pysqlite_dollar",
    "oracle": "cx_oracle oracledb oracledb_async",
    "mssql": "pyodbc pymssql aioodbc mssqlpython mxodbc",
    "firebird": "fdb kinterbasdb",
    "sybase": "pyodbc pysybase mxodbc",
}

# Some of what the tests use is compiled, and not for PyPy.
CPYTHON = "platform_python_implementation != 'PyPy'"
PYPY = "platform_python_implementation == 'PyPy'"


def read_version() -> str:
    """The version, from the package itself and without importing it."""
    text = (HERE / "connmon" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise RuntimeError("connmon/__init__.py: __version__ is missing")
    return found.group(1)


def read_readme() -> str:
    """The long description: README.rst, where there is one."""
    readme = HERE / "README.rst"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


def dialect_entry_points() -> list[str]:
    """``D.connmon`` for each dialect, ``D.DRIVER_connmon`` for each of its drivers."""
    wrapper = "connmon.client.plugin:ConnmonWrapper"
    names = []
    for dialect, drivers in DRIVERS.items():
        names.append(f"{dialect}.connmon")
        names += [f"{dialect}.{driver}_connmon" for driver in drivers.split()]
    return [f"{name} = {wrapper}" for name in names]


setup(
    name="connmon",
    version=read_version(),
    description='A "top" for database connections, as the applications see them',
    long_description=read_readme(),
    long_description_content_type="text/x-rst",
    author="the connmon authors",
    license="MIT",
    keywords="SQLAlchemy database connections pool monitoring",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Console",
        "Framework :: Twisted",
        "Intended Audience :: Developers",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Database :: Front-Ends",
        "Topic :: System :: Monitoring",
    ],
    # twisted/ and twisted/plugins/ have no __init__.py: they are Twisted's own
    # packages, and a file of ours there would be removed with us.
    packages=find_packages(include=["connmon", "connmon.*"]) + ["twisted.plugins"],
    # The commented example, at PREFIX/share/connmon/connmon.cfg, to copy to /etc.
    data_files=[("share/connmon", ["connmon.cfg"])],
    python_requires=">=3.10",
    install_requires=[
        # The first Twisted to name every Python from 3.10 to 3.13 as supported.
        "Twisted>=24.10",
        "SQLAlchemy>=1.4.54",
        "PyMySQL>=1.0.2",
        "crochet>=2.1.1",
        "msgpack>=1.0.3",
    ],
    extras_require={
        "test": [
            "aiomysql>=0.2",
            "aiosqlite>=0.19",
            f"asyncmy>=0.2.9; {CPYTHON}",
            f"asyncpg>=0.29; {CPYTHON}",
            "build>=1.2",
            f"greenlet>=3; {CPYTHON}",  # SQLAlchemy's asyncio engines; PyPy has its own
            f"hypothesis>=6.100; {CPYTHON}",
            f"hypothesis>=6.100,<6.156; {PYPY}",  # compiled since, which it cannot load
            "mysql-connector-python>=8.4",
            "pg8000>=1.29.8",
            "psycopg[binary]>=3.1.18",
            f"psycopg2-binary>=2.9.9; {CPYTHON}",
            "pyte>=0.8.2",
            "pytest>=8",  # run by ``connmon run``, as users do
            "pytest-xdist>=3.6",
        ],
        # The programs connmon is tried in; uWSGI is built by a C compiler.
        "hosts": [
            "asyncmy>=0.2.9",
            "celery>=5.4",
            "eventlet>=0.37",
            "gevent>=24.2",
            "gunicorn>=22",
            "psycopg2-binary>=2.9.9",
            "setproctitle>=1.3",
            "Twisted[tls]",  # that must stay out where nobody wants it
            "uWSGI>=2.0.28",
            "uvicorn>=0.30",
            "uvloop>=0.19",
        ],
        "dev": [
            "docutils>=0.21",  # the first that ``python -m docutils`` runs
            "import-linter>=2.1",
            # Checkers to one release line: a new one may find fault with old code.
            "mypy==2.4.*",
            "mypy-zope>=1.0.17",
            "nox>=2024.10.9",
            "ruff==0.17.*",
        ],
    },
    entry_points={
        "console_scripts": [
            "connmon = connmon.cli:main",
            "connmond = connmon.cli:daemon",
        ],
        "sqlalchemy.plugins": ["connmon = connmon.client.plugin:ConnmonPlugin"],
        "sqlalchemy.dialects": dialect_entry_points(),
    },
    zip_safe=False,
)
