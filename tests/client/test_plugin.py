"""Tests of the two URL forms: what is watched, and that no trace of us is left."""

from __future__ import annotations

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

from connmon.client import plugin
from connmon.client.agent import HERE
from connmon.client.listeners import Watch

NOWHERE = "127.0.0.1:1"
ADDRESS = f"connmon_addr={NOWHERE}"


def watched(engine: Engine) -> bool:
    """Whether an engine's pool events reach us."""
    listeners = [getattr(each, "__self__", None) for each in engine.pool.dispatch.close]
    return any(isinstance(each, Watch) for each in listeners)


def programs() -> set[str]:
    """The program names that engines of this process report under."""
    return {destination.program for destination in HERE._agents}


class BothFormsTests(SynchronousTestCase):
    """What holds for engines made by either form."""

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
            engine = create_async_engine(f"{ours}:///x.db?{ADDRESS}")
            bare = create_async_engine(f"{plain}:///x.db")
            self.assertTrue(watched(engine.sync_engine), ours)
            self.assertIs(
                type(bare.sync_engine.dialect), type(engine.sync_engine.dialect)
            )
            self.assertEqual(bare.url, engine.url)


class MistakeTests(SynchronousTestCase):
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
        with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
            file.write("[connmon_service_x]\nname: one\nnodes:\n  n hostname=h\n")
            file.flush()
            said = self.told(f"connmon_config={file.name}&connmon_service=two")
        self.assertIn("connmon_service=two", said)
        self.assertIn("expected one of: one", said)

    def test_an_option_given_twice(self) -> None:
        """SQLAlchemy makes a tuple of it; we say so."""
        self.assertIn("connmon_addr", self.told("connmon_addr=a&connmon_addr=b"))

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


class ProgramNameTests(SynchronousTestCase):
    """What a program is called when nobody says so."""

    def named(self, argv: list[str], module: str | None = None) -> str:
        """The name with this command line, run by ``-m module`` if that is given."""
        main = types.ModuleType("__main__")
        main.__spec__ = None
        if module is not None:
            main.__spec__ = types.SimpleNamespace(name=module)  # type: ignore[assignment]
        self.patch(sys, "argv", argv)
        self.patch(sys, "modules", {**sys.modules, "__main__": main})
        return plugin.program_name()

    def test_a_script(self) -> None:
        """Its file's name."""
        self.assertEqual("nova-api", self.named(["/usr/bin/nova-api", "--debug"]))

    def test_a_module(self) -> None:
        """The module run by ``-m``, a package without its ``__main__``."""
        self.assertEqual("app.worker", self.named(["/x/app/worker.py"], "app.worker"))
        self.assertEqual("app", self.named(["/x/app/__main__.py"], "app.__main__"))

    def test_no_name_at_all(self) -> None:
        """An interactive interpreter is called after its executable."""
        self.patch(sys, "executable", "/usr/bin/python3")
        self.assertEqual("python3", self.named([""]))
        self.assertEqual("-c", self.named(["-c"]))


class DestinationTests(SynchronousTestCase):
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
            self.assertEqual(make_url(clean), plugin._clean(make_url(given)))
