"""What the tests of each driver share: its server, and its being here at all."""

from __future__ import annotations

import importlib.util
from typing import ClassVar

from sqlalchemy.engine import make_url
from sqlalchemy.exc import NoSuchModuleError
from twisted.trial.unittest import SkipTest

from tests.whole import servers


class OfDriver:
    """One driver and its server; mixed into a test case."""

    #: SQLAlchemy's name of it.
    driver: ClassVar[str]
    #: What has to be importable.
    package: ClassVar[str]
    is_async: ClassVar[bool] = False
    #: The statement that tells a session's own id.
    own_id: ClassVar[str]
    server: servers.Server

    def setUp(self) -> None:
        """Skip where the driver is not installed, or SQLAlchemy does not know it."""
        if importlib.util.find_spec(self.package) is None:
            raise SkipTest(f"{self.package} is not installed")
        self.server = self.running()
        try:
            make_url(self.server.url(self.driver)).get_dialect()
        except NoSuchModuleError as error:
            raise SkipTest(f"this SQLAlchemy has no dialect for it: {error}") from error

    def running(self) -> servers.Server:
        """The server; skips where there is none."""
        raise NotImplementedError

    def listed(self) -> dict[int, str]:
        """The addresses of all sessions, by id, as the server lists them."""
        raise NotImplementedError


class OfMariaDB(OfDriver):
    """A driver of MariaDB's."""

    own_id = "SELECT CONNECTION_ID()"

    def running(self) -> servers.Server:
        """The test run's MariaDB."""
        return servers.mariadb()

    def listed(self) -> dict[int, str]:
        """By the process list."""
        return dict(
            self.server.query("SELECT id, host FROM information_schema.processlist")
        )


class OfPostgreSQL(OfDriver):
    """A driver of PostgreSQL's."""

    own_id = "SELECT pg_backend_pid()"

    def running(self) -> servers.Server:
        """The test run's PostgreSQL."""
        return servers.postgresql()

    def listed(self) -> dict[int, str]:
        """By ``pg_stat_activity``."""
        return dict(
            self.server.query(
                "SELECT pid, host(client_addr) || ':' || client_port"
                " FROM pg_stat_activity WHERE backend_type = 'client backend'"
            )
        )
