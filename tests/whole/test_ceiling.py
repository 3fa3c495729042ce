"""What programs may ask of real database servers, and what these have."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.whole import servers
from tests.whole.fleet import BIN, WITHIN, Application, Running, ran
from tests.whole.servers import eventually, free_port

PROGRAM = """
from sqlalchemy import create_engine, text
engine = create_engine(
    {url!r}, pool_size=5, max_overflow=10, plugins=["connmon"],
    connmon_addr={addr!r}, connmon_program={name!r}, **{options!r}
)
held = [engine.connect() for _ in range({out})]
"""


class CeilingTests(SynchronousTestCase):
    """The view of servers, at a node with or without a limit for one."""

    def setUp(self) -> None:
        """What is entered on the stack is left after the test."""
        self.place = Path(self.mktemp()).resolve()
        self.place.mkdir()
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)

    def node(self, *databases: str) -> str:
        """A node that knows these servers; its address."""
        port = free_port()
        listed = "".join(f"    {each}\n" for each in databases)
        config = self.place / "connmon.cfg"
        config.write_text(
            "[connmon_service_default]\nname: default\n"
            f"nodes:\n    node1 hostname=127.0.0.1:{port} bind=127.0.0.1\n"
            + (f"databases:\n{listed}" if listed else "")
        )
        node = Running([BIN / "connmond", "-c", config])
        self.stack.enter_context(node).err.until(lambda line: "listens on" in line)
        return f"127.0.0.1:{port}"

    def program(
        self, addr: str, url: str, name: str = "api", out: int = 1, **options: Any
    ) -> Application:
        """A program that has so many connections out."""
        setup = PROGRAM.format(url=url, addr=addr, name=name, out=out, options=options)
        return self.stack.enter_context(Application(setup))

    def seen(self, addr: str, view: str = "servers") -> dict[str, Any]:
        """A frame of a view."""
        done = ran(BIN / "connmon", "-H", addr, "--view", view, "--json", "-N", "1")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        frame: dict[str, Any] = json.loads(done.stdout)
        return frame

    def until(self, addr: str, **figures: object) -> dict[str, Any]:
        """The only server's row, once it has these figures."""
        rows: list[dict[str, Any]] = []

        def is_so() -> bool:
            rows[:] = self.seen(addr)["servers"]
            return len(rows) == 1 and all(rows[0][k] == v for k, v in figures.items())

        self.assertTrue(eventually(is_so, WITHIN), f"{figures}: {rows}")
        return rows[0]

    def test_configured(self) -> None:
        """Two programs together may open more than the server takes."""
        server = servers.mariadb()
        name = f"127.0.0.1:{server.port}"
        addr = self.node(f"{name} max_connections=30 reserved=5")
        url = server.url("pymysql")
        self.program(addr, url, out=2)
        row = self.until(addr, conn=2)
        self.assertEqual(
            (name, 25, 15, 0, 1, 15, "ok"),
            tuple(
                row[key]
                for key in (
                    *("server", "limit", "worst_case", "unbounded", "nproc"),
                    *("adds", "alert"),
                )
            ),
        )
        self.program(addr, url, "web")
        row = self.until(addr, conn=3, nproc=2)
        self.assertEqual(("warn", "worst case 30 of 25"), (row["alert"], row["reason"]))
        alerts = self.seen(addr, "programs")["alerts"]
        self.assertEqual((0, 1), (alerts["crit"], alerts["warn"]))
        self.assertIn(f"{name} of ", alerts["worst"])
        self.assertIn(": worst case 30 of 25; one more ", alerts["worst"])
        shares = self.seen(addr, "shares")["shares"]
        self.assertEqual(
            [("api", 15, 0.5), ("web", 15, 0.5)],
            [(row["progname"], row["worst_case"], row["share"]) for row in shares],
        )

    def test_the_check(self) -> None:
        """It is critical as the console is, and passes a filter for its programs."""
        server = servers.mariadb()
        name = f"127.0.0.1:{server.port}"
        addr = self.node(f"{name} max_connections=4")
        self.program(addr, server.url("pymysql"), out=4)
        self.until(addr, conn=4, alert="crit")
        status, line = self.check(addr)
        self.assertEqual(2, status, line)
        self.assertRegex(
            line,
            rf"^CONNMON CRITICAL - {name} of \S+: 4 of 4 connections open, "
            r"worst case 15 of 4 \| .* 'server_used'=100%;80;95;0;100$",
        )
        self.assertEqual(2, self.check(addr, "--filter", "progname=api")[0])
        self.assertEqual(1, self.check(addr, "--critical-server", "none")[0])
        options = ("--critical-server=none", "--warning-server=none")
        self.assertEqual(0, self.check(addr, *options)[0])

    def check(self, addr: str, *options: str) -> tuple[int, str]:
        """The exit status and the line of ``connmon check``."""
        done = ran(BIN / "connmon", "check", "-H", addr, *options)
        self.assertEqual("", done.stderr)
        return done.returncode, done.stdout.rstrip("\n")

    def test_read(self) -> None:
        """Both kinds of server are asked if that is wanted, and only then.

        What they keep from applications does not count.
        """
        addr = self.node()
        for server, drivers, most, reserved in (
            (servers.mariadb(), ("pymysql",), "@@max_connections", "0"),
            (
                servers.postgresql(),
                ("psycopg2",),
                "current_setting('max_connections')",
                "current_setting('superuser_reserved_connections')",
            ),
        ):
            ((has, keeps),) = server.query(f"SELECT {most}, {reserved}")
            expected = int(has) - int(keeps)
            for driver in drivers:
                url = server.url(driver)
                with self.program(addr, url) as silent:
                    self.until(addr, conn=1, limit=None)
                    silent.leave()
                self.assertTrue(
                    eventually(lambda: not self.seen(addr)["servers"], WITHIN)
                )
                with self.program(addr, url, connmon_limit="read") as asking:
                    row = self.until(addr, conn=1, limit=expected)
                    self.assertEqual("ok", row["alert"])
                    # Whatever was begun for that is over.
                    self.assertEqual(
                        1, asking.do("held[0].execute(text('select 1')).scalar()")
                    )
                    asking.leave()
                self.assertTrue(
                    eventually(lambda: not self.seen(addr)["servers"], WITHIN)
                )
