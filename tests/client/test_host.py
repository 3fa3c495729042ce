"""Tests of which server a pool's connections go to, as far as the engine tells."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from sqlalchemy import create_engine, pool
from twisted.trial.unittest import SynchronousTestCase

from connmon.client.facts import facts_of
from connmon.client.host import host_of
from connmon.model.servers import address_of

MYSQL = "mysql+pymysql://"
POSTGRESQL = [
    f"postgresql+{driver}://" for driver in ("pg8000", "psycopg2") if find_spec(driver)
]
"""Of these drivers one is not for PyPy."""


class HostTests(SynchronousTestCase):
    """``host_of``, and the pool's name that is made of it."""

    def told(self, url: str, arguments: object = None, **options: Any) -> str:
        """The server of an engine's pool, by the pool's name."""
        if arguments is not None:
            options["connect_args"] = arguments
        return address_of(facts_of(create_engine(url, **options)).name)

    def test_in_the_url(self) -> None:
        """As ever, with a port or without."""
        self.assertEqual("db:3306", self.told(f"{MYSQL}u:p@db/x"))
        self.assertEqual("db:3307", self.told(f"{MYSQL}u:p@db:3307/x"))
        self.assertEqual("[::1]:3306", self.told(f"{MYSQL}[::1]/x"))

    def test_in_connect_args(self) -> None:
        """A host there is the server's, with its port, the URL's, or the usual one."""
        self.assertEqual("db:3306", self.told(MYSQL, {"host": "db"}))
        self.assertEqual("db:3307", self.told(MYSQL, {"host": "db", "port": 3307}))
        self.assertEqual("db:3307", self.told(MYSQL, {"host": "db", "port": "3307"}))
        self.assertEqual("[fe80::1]:3306", self.told(MYSQL, {"host": "fe80::1"}))
        name = facts_of(create_engine(f"{MYSQL}/x", connect_args={"host": "db"})).name
        self.assertEqual("mysql+pymysql://db/x", name)

    def test_in_both(self) -> None:
        """Of each the driver gets what ``connect_args`` has."""
        url = f"{MYSQL}db:3307/x"
        self.assertEqual("other:3307", self.told(url, {"host": "other"}))
        self.assertEqual("db:3308", self.told(url, {"port": 3308}))

    def test_in_the_query(self) -> None:
        """PostgreSQL's drivers take it there; of several no one is the server."""
        for scheme in POSTGRESQL:
            self.assertEqual("db:5433", self.told(f"{scheme}/x?host=db&port=5433"))
            self.assertEqual("", self.told(f"{scheme}/x?host=a:1&host=b:2"))

    def test_sockets(self) -> None:
        """They are no server; a host beside one is not asked."""
        self.assertEqual("", self.told(MYSQL, {"unix_socket": "/run/x"}))
        both = {"unix_socket": "/run/x", "host": "db"}
        self.assertEqual("", self.told(MYSQL, both))
        path = {"host": "/run/postgresql"}
        for scheme in POSTGRESQL:
            self.assertEqual("", self.told(scheme, path))

    def test_what_is_no_host(self) -> None:
        """It is passed over, and so is what is no port."""
        for host in (None, 5, b"db", "", "a,b", "db:3307", "a b", object()):
            self.assertEqual("", self.told(MYSQL, {"host": host}), host)
        for port in (None, 0, -1, True, 65536, "x", "9" * 5000, "٣", 3.5):
            arguments = {"host": "db", "port": port}
            self.assertEqual("db:3306", self.told(MYSQL, arguments), port)

    def test_a_creator(self) -> None:
        """What an application makes by itself goes nobody knows where."""

        def creator() -> Any:
            raise NotImplementedError

        self.assertEqual("", self.told(MYSQL, {"host": "db"}, creator=creator))
        own = pool.QueuePool(creator)
        self.assertEqual("", self.told(MYSQL, {"host": "db"}, pool=own))
        self.assertEqual("db:3306", self.told(f"{MYSQL}db", creator=creator))

    def test_a_pool_of_another_engine(self) -> None:
        """Its connections go where the first engine's do."""
        first = create_engine(MYSQL, connect_args={"host": "db"})
        self.assertEqual("db:3306", self.told(MYSQL, pool=first.pool))

    def test_after_a_disposal(self) -> None:
        """The next pool goes there, too."""
        engine = create_engine(MYSQL, connect_args={"host": "db", "port": 1})
        engine.dispose()
        self.assertEqual(("db", 1), host_of(engine))

    def test_dialects_that_are_not_known(self) -> None:
        """What they call a host may be another thing."""
        self.assertEqual("", self.told("sqlite://", {"host": "db"}))
