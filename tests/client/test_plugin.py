"""Tests of the two URL forms: what is watched, and that no trace of us is left."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import tempfile
import types
import warnings
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import create_engine, event, exc, text
from sqlalchemy.engine import Engine, make_url
from twisted.trial.unittest import SynchronousTestCase

from connmon import config
from connmon.client import engines, listeners, options
from connmon.client import url as urls
from connmon.client.agent import HERE, Agent
from connmon.client.callables import watch_of
from connmon.client.events import Events
from connmon.client.listeners import Watch
from connmon.client.options import Source

NOWHERE = "127.0.0.1:1"
ADDRESS = f"connmon_addr={NOWHERE}"


def watched(engine: Engine) -> bool:
    """Whether an engine's pool events reach us."""
    listeners = [getattr(each, "__self__", None) for each in engine.pool.dispatch.close]
    return any(isinstance(each, Events) for each in listeners)


def programs() -> set[str]:
    """The program names that engines of this process report under."""
    return {destination.program for destination in HERE._agents}


class EnginesTestCase(SynchronousTestCase):
    """Engines in an environment that says nothing, where nobody has complained yet."""

    def setUp(self) -> None:
        """Take out of the environment what is ours."""
        ours = [name for name in os.environ if name.startswith("CONNMON_")]
        plain = {k: v for k, v in os.environ.items() if k not in ours}
        self.patch(os, "environ", plain)
        self.patch(engines, "COMPLAINTS", engines.Complaints())

    def file(self, text: str) -> str:
        """The path of a file with this text."""
        path = Path(self.mktemp())
        path.write_text(text)
        return str(path)


class BothFormsTests(EnginesTestCase):
    """What holds for engines made by either form."""

    def test_what_is_traced(self) -> None:
        """As the URL says, as ``attach`` does, or the environment."""
        told = []

        class Heard(Watch):
            """Tells what it was asked for."""

            def __init__(
                self, agent: Agent, engine: Engine, *asked: Any, **more: Any
            ) -> None:
                told.append(asked[1])
                super().__init__(agent, engine, *asked, **more)

        self.patch(listeners, "Watch", Heard)
        for trace in ("on", "slow", "off"):
            create_engine(f"sqlite+connmon://?{ADDRESS}&connmon_trace={trace}")
        create_engine(f"sqlite://?plugin=connmon&{ADDRESS}")
        engines.attach(create_engine("sqlite://"), {"addr": NOWHERE, "trace": False})
        os.environ["CONNMON_TRACE"] = "slow"
        create_engine(f"sqlite+connmon://?{ADDRESS}")
        self.assertEqual(["on", "slow", "off", "on", "off", "slow"], told)

    def same_as_without_us(self, url: str, plain: str) -> None:
        """An engine of ours against one without us."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ours, bare = create_engine(url), create_engine(plain)
        self.assertTrue(watched(ours), url)
        self.assertEqual(bare.url, ours.url)
        self.assertIs(type(bare.dialect), type(ours.dialect))
        self.assertEqual(bare.dialect.name, ours.dialect.name)
        self.assertEqual(bare.dialect.driver, ours.dialect.driver)
        self.assertIs(type(bare.pool), type(ours.pool))
        self.assertEqual(
            bare.dialect.create_connect_args(bare.url),
            ours.dialect.create_connect_args(ours.url),
        )
        self.assertEqual(
            getattr(bare.dialect, "supports_statement_cache", None),
            getattr(ours.dialect, "supports_statement_cache", None),
        )

    def test_driver_form(self) -> None:
        """``dialect+driver_connmon://`` is ``dialect+driver://`` that is watched."""
        for url, plain in (
            ("mysql+pymysql_connmon://u:p@h:3/d?charset=utf8&", "mysql+pymysql"),
            ("mariadb+pymysql_connmon://u:p@h/d?", "mariadb+pymysql"),
            ("sqlite+pysqlite_connmon:///x.db?", "sqlite+pysqlite"),
            ("sqlite+connmon:///x.db?", "sqlite"),
            ("sqlite+connmon:///:memory:?", "sqlite"),
            ("sqlite+connmon://?", "sqlite"),
        ):
            rest = url.partition("://")[2].rstrip("?&")
            self.same_as_without_us(url + ADDRESS, f"{plain}://{rest}")

    def test_plugin_form(self) -> None:
        """``?plugin=connmon`` leaves the URL as it would be without it."""
        for url in (
            "mysql+pymysql://u:p@h/d?charset=utf8",
            "sqlite:///x.db",
            "sqlite://",
        ):
            sign = "&" if "?" in url else "?"
            self.same_as_without_us(f"{url}{sign}plugin=connmon&{ADDRESS}", url)

    def test_both_forms_at_once_are_one(self) -> None:
        """Options given to a mixture of both are not lost, and nothing counts twice."""
        self.same_as_without_us(
            f"sqlite+connmon:///x.db?plugin=connmon&{ADDRESS}&connmon_program=mixed",
            "sqlite:///x.db",
        )
        self.assertIn("mixed", programs())

    def test_create_engine_arguments(self) -> None:
        """``plugins=["connmon"]`` takes arguments, which win over the URL."""
        engine = create_engine(
            "sqlite://?connmon_program=from_url",
            plugins=["connmon"],
            connmon_addr=NOWHERE,
            connmon_program="from_argument",
        )
        self.assertTrue(watched(engine))
        self.assertEqual("sqlite://", str(engine.url))
        self.assertIn("from_argument", programs())
        self.assertNotIn("from_url", programs())

    def test_a_server_in_connect_args(self) -> None:
        """It is in the pool's name, whichever way the engine came to be watched."""
        where = {"host": "db", "port": 3307}
        attached = create_engine("mysql+pymysql://", connect_args=where)
        engines.attach(attached, {"addr": NOWHERE})
        for engine in (
            create_engine(f"mysql+pymysql_connmon://?{ADDRESS}", connect_args=where),
            create_engine(
                f"mysql+pymysql://?plugin=connmon&{ADDRESS}", connect_args=where
            ),
            attached,
        ):
            watch = watch_of(engine.pool)
            assert watch is not None
            self.assertEqual("mysql+pymysql://db:3307/", watch.pool().facts.name)

    def test_nothing_of_ours_reaches_the_dbapi(self) -> None:
        """Neither in the URL's arguments nor in those of ``create_engine``."""
        seen: list[Any] = []
        engine = create_engine(
            f"mysql+pymysql_connmon://u:p@127.0.0.1:1/d?charset=utf8&{ADDRESS}"
            "&connmon_program=x"
        )

        @event.listens_for(engine, "do_connect")
        def do_connect(dialect: Any, record: Any, args: Any, params: Any) -> None:
            seen.append(dict(params))
            raise exc.DBAPIError("", {}, Exception("enough"))

        with self.assertRaises(exc.DBAPIError):
            engine.connect()
        self.assertEqual([], [key for key in seen[0] if "connmon" in key])
        self.assertEqual("utf8", seen[0]["charset"])

    def test_listeners_on_the_dialect_class_still_fire(self) -> None:
        """A subclass that stayed would have lost them."""
        with tempfile.TemporaryDirectory() as directory:
            engine = create_engine(f"sqlite+connmon:///{directory}/x.db?{ADDRESS}")
            with engine.connect() as connection:
                self.assertEqual(1, connection.execute(text("select 1")).scalar())
            engine.dispose()


class EntryPointTests(SynchronousTestCase):
    """Every driver SQLAlchemy ships can be named in the driver form."""

    def test_every_dialect_of_this_sqlalchemy_has_one(self) -> None:
        """Found by looking into SQLAlchemy's own packages, and loadable."""
        ours = {each.name for each in entry_points(group="sqlalchemy.dialects")}
        missing = []
        root = Path(sqlalchemy.__file__).parent / "dialects"
        for package in sorted(each for each in root.iterdir() if each.is_dir()):
            init = package / "__init__.py"
            if package.name.startswith("_") or not init.exists():
                continue
            module = __import__(f"sqlalchemy.dialects.{package.name}", fromlist=["x"])
            names = {f"{package.name}.connmon"}
            for name, value in vars(module).items():
                driver = name.removesuffix("_async")
                is_driver = isinstance(value, types.ModuleType) and driver != "base"
                if is_driver and hasattr(value, "dialect"):
                    names.add(f"{package.name}.{driver}_connmon")
            missing += sorted(names - ours)
        self.assertEqual([], missing)

    def test_async_names_are_there(self) -> None:
        """The drivers that exist only as asynchronous variants, too."""
        ours = {each.name for each in entry_points(group="sqlalchemy.dialects")}
        for name in (
            "postgresql.asyncpg_connmon",
            "postgresql.psycopg_async_connmon",
            "oracle.oracledb_async_connmon",
            "sqlite.aiosqlite_connmon",
            "mssql.aioodbc_connmon",
            "mysql.asyncmy_connmon",
        ):
            self.assertIn(name, ours)

    def test_the_real_dialect_is_found_for_asynchronous_engines(self) -> None:
        """``create_async_engine`` gets the asynchronous dialect."""
        from sqlalchemy.ext.asyncio import create_async_engine

        for ours, plain in (
            ("postgresql+asyncpg_connmon", "postgresql+asyncpg"),
            ("sqlite+aiosqlite_connmon", "sqlite+aiosqlite"),
            ("mysql+aiomysql_connmon", "mysql+aiomysql"),
            ("postgresql+psycopg_connmon", "postgresql+psycopg"),
        ):
            if sqlalchemy.__version__.startswith("1.4") and "psycopg_" in ours:
                continue  # 1.4 has no dialect for psycopg 3
            if sys.implementation.name == "pypy" and ours.startswith("postgresql"):
                continue  # asyncpg is for CPython, as is the libpq of psycopg[binary]
            engine = create_async_engine(f"{ours}:///x.db?{ADDRESS}")
            bare = create_async_engine(f"{plain}:///x.db")
            self.assertTrue(watched(engine.sync_engine), ours)
            self.assertIs(
                type(bare.sync_engine.dialect), type(engine.sync_engine.dialect)
            )
            self.assertEqual(bare.url, engine.url)


class MistakeTests(EnginesTestCase):
    """Options that are wrong are told at ``create_engine``, by name."""

    def told(self, query: str) -> str:
        """What ``create_engine`` says, the same in both forms."""
        said = set()
        for url in ("sqlite+connmon://?", "sqlite://?plugin=connmon&"):
            with self.assertRaises(exc.ArgumentError) as caught:
                create_engine(url + query)
            said.add(str(caught.exception))
        self.assertEqual(1, len(said), said)
        return said.pop()

    def test_a_bad_address(self) -> None:
        """Names the option, the value and what was expected."""
        said = self.told("connmon_addr=host:abc")
        self.assertIn("connmon_addr=host:abc", said)
        self.assertIn("expected HOST[:PORT]", said)

    def test_a_named_config_that_cannot_be_read(self) -> None:
        """Names the file."""
        said = self.told("connmon_config=/nowhere/connmon.cfg")
        self.assertIn("connmon_config=/nowhere/connmon.cfg", said)

    def test_a_service_that_a_named_config_lacks(self) -> None:
        """Names the service, and those there are."""
        path = self.file("[connmon_service_x]\nname: one\nnodes:\n  n hostname=h\n")
        said = self.told(f"connmon_config={path}&connmon_service=two")
        self.assertIn("connmon_service=two", said)
        self.assertIn("expected one of: one", said)

    def test_an_option_given_twice(self) -> None:
        """SQLAlchemy makes a tuple of it; we say so."""
        self.assertIn("connmon_addr", self.told("connmon_addr=a&connmon_addr=b"))

    def test_arguments(self) -> None:
        """Those of ``create_engine`` are told alike; they need not be text."""
        for name, value in (
            ("connmon_addr", "host:abc"),
            ("connmon_addr", 5800),
            ("connmon_service", ""),
            ("connmon_config", "/nowhere/connmon.cfg"),
            ("connmon_transactions", "maybe"),
        ):
            arguments: dict[str, Any] = {name: value}
            with self.assertRaises(exc.ArgumentError) as caught:
                create_engine("sqlite://", plugins=["connmon"], **arguments)
            said = str(caught.exception)
            self.assertTrue(said.startswith(f"{name}="), said)
            self.assertIn("expected", said)

    def test_an_unknown_option_is_a_warning(self) -> None:
        """A newer option must not keep an older client's database from working."""
        with self.assertLogs("connmon", "WARNING") as logs:
            engine = create_engine(f"sqlite+connmon://?{ADDRESS}&connmon_colour=red")
        self.assertIn("connmon_colour", logs.output[0])
        self.assertTrue(watched(engine))

    def test_a_fault_elsewhere_leaves_the_engine_alone(self) -> None:
        """A service the default config lacks is one warning, and the database works."""
        with self.assertLogs("connmon", "WARNING") as logs:
            engine = create_engine("sqlite+connmon://?connmon_service=elsewhere")
        self.assertEqual(1, len(logs.output))
        self.assertIn("elsewhere", logs.output[0])
        self.assertFalse(watched(engine))
        with engine.connect() as connection:
            self.assertEqual(1, connection.execute(text("select 1")).scalar())
        engine.dispose()


class DestinationTests(EnginesTestCase):
    """Whom an engine reports to."""

    def test_a_service_asked_for_beside_an_address_is_verified(self) -> None:
        """The node at the address is asked whether it is of that service."""
        create_engine(f"sqlite+connmon://?{ADDRESS}&connmon_service=billing")
        services = {each.service for each in HERE._agents}
        self.assertIn("billing", services)

    def test_an_address_alone_takes_any_service(self) -> None:
        """No service is named, so whichever node is there will do."""
        create_engine(f"sqlite+connmon://?{ADDRESS}&connmon_program=any")
        (found,) = (each for each in HERE._agents if each.program == "any")
        self.assertEqual("", found.service)


class EnvironmentTests(EnginesTestCase):
    """What the environment says, and what comes of its mistakes."""

    def destination(self, engine: Engine) -> Any:
        """Where an engine reports to."""
        (found,) = (
            each.destination
            for each in engines.watched()
            if each is engines._WATCHED.get(engine)
        )
        return found

    def test_it_fills_what_the_url_leaves_open(self) -> None:
        """In both forms; what the URL says goes first."""
        os.environ["CONNMON_ADDR"] = "10.1.1.1:1"
        os.environ["CONNMON_PROGRAM"] = "from_environment"
        for url in ("sqlite+connmon://", "sqlite://?plugin=connmon"):
            found = self.destination(create_engine(url))
            self.assertEqual("10.1.1.1:1", str(found.addresses[0]))
            self.assertEqual("from_environment", found.program)
            sign = "&" if "?" in url else "?"
            engine = create_engine(f"{url}{sign}{ADDRESS}&connmon_program=from_url")
            found = self.destination(engine)
            self.assertEqual(NOWHERE, str(found.addresses[0]))
            self.assertEqual("from_url", found.program)

    def test_a_mistake_in_it_is_one_warning(self) -> None:
        """However many engines there are; each of them works, unwatched."""
        for name, value in (
            ("CONNMON_ADDR", "host:abc"),
            ("CONNMON_CONFIG", "/nowhere/connmon.cfg"),
            ("CONNMON_SERVICE", "elsewhere"),
            ("CONNMON_TRANSACTIONS", "maybe"),
        ):
            os.environ[name] = value
            with self.assertLogs("connmon", "WARNING") as logs:
                for url in 3 * ("sqlite+connmon://", "sqlite://?plugin=connmon"):
                    engine = create_engine(url)
                    self.assertFalse(watched(engine))
                    with engine.connect() as connection:
                        self.assertEqual(1, connection.scalar(text("select 1")))
                    engine.dispose()
            self.assertEqual(1, len(logs.output), logs.output)
            self.assertIn(f"{name}={value}: ", logs.output[0])
            del os.environ[name]

    def test_a_fault_of_the_default_file_is_one_warning(self) -> None:
        """It is an operator's, not the program's."""
        path = self.file("[connmon_service_x]\n")
        self.patch(config.load, "__kwdefaults__", {"default_path": path})
        with self.assertLogs("connmon", "WARNING") as logs:
            engines_made = [create_engine("sqlite+connmon://") for _ in range(3)]
        self.assertEqual([False] * 3, [watched(each) for each in engines_made])
        self.assertEqual(1, len(logs.output), logs.output)
        self.assertIn(path, logs.output[0])

    def test_few_complaints_at_all(self) -> None:
        """A program whose every engine has another fault does not fill its log."""
        with self.assertLogs("connmon", "WARNING") as logs:
            for number in range(100):
                create_engine(f"sqlite+connmon://?connmon_service=no{number}")
        self.assertEqual(20, len(logs.output))

    def test_a_broken_log_filter(self) -> None:
        """The application's own; it does not make ``create_engine`` fail."""

        class Broken(logging.Filter):
            def filter(self, record: Any) -> bool:
                raise ZeroDivisionError("oh")

        broken = Broken()
        log = logging.getLogger("connmon")
        log.addFilter(broken)
        self.addCleanup(log.removeFilter, broken)
        create_engine("sqlite+connmon://?connmon_service=elsewhere")


class DisabledTests(EnginesTestCase):
    """``CONNMON_DISABLE=1`` wins over everything."""

    def test_urls_still_work(self) -> None:
        """Our parts are taken off, and not even looked at."""
        os.environ["CONNMON_DISABLE"] = "1"
        for url in (
            "sqlite+connmon://?connmon_addr=host:abc&connmon_colour=red",
            "sqlite://?plugin=connmon&connmon_config=/nowhere",
            "sqlite+connmon://?plugin=connmon&connmon_addr=a&connmon_addr=b",
        ):
            with self.assertNoLogs("connmon"):
                engine = create_engine(url)
            self.assertFalse(watched(engine))
            self.assertEqual("sqlite://", str(engine.url))
            self.assertEqual("pysqlite", engine.dialect.driver)
            self.assertFalse(hasattr(type(engine.dialect), "_connmon_real"))

    def test_off(self) -> None:
        """Zero is not disabled."""
        os.environ["CONNMON_DISABLE"] = "0"
        self.assertTrue(watched(create_engine(f"sqlite+connmon://?{ADDRESS}")))

    def test_an_odd_value_is_one_warning(self) -> None:
        """And it counts: whoever set it wants us out."""
        os.environ["CONNMON_DISABLE"] = "please"
        with self.assertLogs("connmon", "WARNING") as logs:
            made = [create_engine(f"sqlite+connmon://?{ADDRESS}") for _ in range(3)]
        self.assertFalse(any(watched(each) for each in made))
        self.assertEqual(1, len(logs.output))
        self.assertIn("CONNMON_DISABLE=please", logs.output[0])

    def test_nothing_is_imported_and_no_thread_started(self) -> None:
        """In a process of its own, whose engine is used."""
        script = (
            "import sys, threading\n"
            "from sqlalchemy import create_engine\n"
            f"engine = create_engine('sqlite+connmon://?{ADDRESS}')\n"
            "engine.connect().close()\n"
            "engine.dispose()\n"
            "assert threading.active_count() == 1\n"
            "import os\n"
            "assert len(os.listdir('/proc/self/task')) == 1\n"
            "names = ('twisted', 'crochet', 'msgpack', 'connmon.client.agent')\n"
            "assert not [name for name in names if name in sys.modules]\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "CONNMON_DISABLE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))


class OnceTests(EnginesTestCase):
    """An engine is watched once."""

    def test_told_of_twice(self) -> None:
        """By SQLAlchemy itself, say: what held first holds."""
        engine = create_engine(f"sqlite+connmon://?{ADDRESS}&connmon_program=first")
        before = len(engine.pool.dispatch.close)
        asked = engines.choose(Source({"addr": NOWHERE, "program": "second"}))
        for _ in range(2):
            engines.watch(engine, asked)
        self.assertEqual(before, len(engine.pool.dispatch.close))
        self.assertEqual("first", engines._WATCHED[engine].asked.program)

    def test_engines_are_not_kept_alive(self) -> None:
        """A program may make thousands."""
        gc.collect()
        before = len(engines.watched())
        made = [create_engine(f"sqlite+connmon://?{ADDRESS}") for _ in range(10)]
        self.assertEqual(before + 10, len(engines.watched()))
        del made
        gc.collect()
        self.assertLessEqual(len(engines.watched()), before)

    def test_a_fault_of_ours(self) -> None:
        """Wherever it is: one warning, and engines that work."""

        def broken(*args: object) -> Any:
            raise ZeroDivisionError("oh")

        for place, name in (
            (options, "choose"),
            (options, "environment"),
            (config, "parse"),
            (HERE, "agent"),
        ):
            patch = self.patch(place, name, broken)
            self.patch(engines, "COMPLAINTS", engines.Complaints())
            with self.assertLogs("connmon", "WARNING") as logs:
                for url in 2 * ("sqlite+connmon://", "sqlite://?plugin=connmon"):
                    engine = create_engine(url)
                    self.assertFalse(watched(engine))
                    with engine.connect() as connection:
                        self.assertEqual(1, connection.scalar(text("select 1")))
                    engine.dispose()
            patch.restore()
            self.assertEqual(1, len(logs.output), logs.output)
            self.assertIn("oh", logs.output[0])

    def test_a_client_that_cannot_be_loaded(self) -> None:
        """One warning, and engines that work."""
        name = "connmon.client.agent"
        self.addCleanup(sys.modules.__setitem__, name, sys.modules[name])
        sys.modules[name] = None  # type: ignore[assignment]
        with self.assertLogs("connmon", "WARNING") as logs:
            made = [create_engine(f"sqlite+connmon://?{ADDRESS}") for _ in range(3)]
        self.assertEqual(1, len(logs.output), logs.output)
        self.assertFalse(any(watched(each) for each in made))


class UrlTests(SynchronousTestCase):
    """Our parts of a URL, and only those, are taken off."""

    def test_clean(self) -> None:
        """Driver suffix and options go, everything else stays."""
        for given, clean in (
            ("mysql+pymysql_connmon://h/d?a=1&connmon_x=2", "mysql+pymysql://h/d?a=1"),
            ("mysql+connmon://h/d", "mysql://h/d"),
            ("sqlite:///x.db?uri=true", "sqlite:///x.db?uri=true"),
            ("mysql+my_connmon_driver://h/d", "mysql+my_connmon_driver://h/d"),
        ):
            self.assertEqual(make_url(clean), urls.clean(make_url(given)))
