"""Apache with mod_wsgi, Debian's: an application in a sub-interpreter of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sys
import sysconfig
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.hosts.needed import lacking
from tests.hosts.programs import ROOT, HostTestCase
from tests.whole import servers
from tests.whole.fleet import WITHIN, Running
from tests.whole.servers import eventually, free_port

MODULES = Path("/usr/lib/apache2/modules")

CONFIGURATION = """
ServerName localhost
ServerRoot {directory}
PidFile {directory}/pid
ErrorLog {directory}/log
LogLevel info
Listen 127.0.0.1:{port}
User www-data
Group www-data
LoadModule mpm_{mpm}_module {modules}/mod_mpm_{mpm}.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {module}
<Directory {directory}>
    Require all granted
</Directory>
{wsgi}
WSGIScriptAlias / {directory}/app.wsgi process-group={group} application-group=app
"""

EMBEDDED = """
StartServers 2
ServerLimit 2
MaxRequestWorkers 2
WSGIPythonPath {path}
"""

DAEMON = """
WSGISocketPrefix {directory}/socket
WSGIDaemonProcess ours processes=2 threads=3 python-path={path} shutdown-timeout=5
"""

#: It holds one connection more with each request to /hold.
APPLICATION = """
import json, os, sys
import mod_wsgi
from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool

engine = create_engine({url!r}, poolclass=QueuePool, pool_size=20)
held = []

def application(environ, start_response):
    if environ["PATH_INFO"] == "/hold":
        held.append(engine.connect())
    with engine.connect() as connection:
        answer = connection.execute(text("select 6 * 7")).scalar_one()
    body = json.dumps([
        os.getpid(), answer, mod_wsgi.application_group, len(held)
    ]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def module() -> Path:
    """mod_wsgi for this Python; it embeds Debian's, which must be of the same kind."""
    version = "{}.{}".format(*sys.version_info)
    found = sorted(MODULES.glob("mod_wsgi.so-*"))
    if not found or shutil.which("apache2", path="/usr/sbin:/usr/bin") is None:
        lacking("not installed here: Debian's apache2-bin, libapache2-mod-wsgi-py3")
    for each in found:
        if each.name == f"mod_wsgi.so-{version}":
            return each
    raise SkipTest(f"mod_wsgi here is for another Python than {version}")


class ModWsgiTests(HostTestCase):
    """The same application by both modes of the module."""

    def serve(self, wsgi: str, mpm: str, group: str, url: str) -> Running:
        """Start Apache; it reads its files as www-data."""
        self.port = free_port()
        self.directory.chmod(0o755)
        path = f"{ROOT}:{sysconfig.get_path('purelib')}"
        configuration = CONFIGURATION.format(
            directory=self.directory,
            port=self.port,
            mpm=mpm,
            modules=MODULES,
            module=self.module,
            group=group,
            wsgi=wsgi.format(path=path, directory=self.directory),
        )
        (self.directory / "apache.conf").write_text(configuration)
        (self.directory / "app.wsgi").write_text(APPLICATION.format(url=url))
        # A session of its own: Apache passes signals on to its whole group.
        command = ["setsid", "apache2", "-D", "FOREGROUND", "-f"]
        server = Running([*command, self.directory / "apache.conf"])
        self.stack.enter_context(server)
        self.stack.callback(self.end_group, server.pid)
        self.assertTrue(eventually(self.answers, WITHIN), self.log())
        return server

    @staticmethod
    def end_group(leader: int) -> None:
        """End Apache, with all its children, however the test went."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)

    def log(self) -> str:
        """What Apache wrote last."""
        try:
            return (self.directory / "log").read_text()[-8000:]
        except FileNotFoundError:
            return ""

    def ask(self, path: str = "/") -> list[Any]:
        """The answer: pid, the database's, the interpreter's name, how many held."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=WITHIN)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            answer: list[Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer

    def answers(self) -> bool:
        """Whether it does."""
        try:
            self.ask()
        except (OSError, HTTPException, ValueError):
            return False
        return True

    def setUp(self) -> None:
        """The module, a database, a node."""
        super().setUp()
        self.module = module()
        self.start_node()
        self.database = servers.mariadb().url("pymysql")

    def reports(self, wsgi: str, mpm: str, group: str) -> None:
        """Each process reports its own, and a restart and the end abort none."""
        url = self.watched(database=self.database)
        server = self.serve(wsgi, mpm, group, url)
        first = self.held(2)
        self.shows(nproc=2, ckout=sum(first.values()))
        server.process.send_signal(signal.SIGUSR1)
        self.assertTrue(eventually(lambda: self.gone(set(first)), WITHIN), self.log())
        second = self.held(2)
        self.assertFalse(set(first) & set(second))
        self.shows(nproc=2, ckout=sum(second.values()))
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(0, server.wait())
        self.shows(nproc=0, conn=0)
        for pid, seen in self.links().items():
            self.assertEqual(["joined", "left"], seen, pid)
        self.assertNotRegex(
            self.log(), re.compile("fatal|abort|segm|traceback", re.IGNORECASE)
        )

    def held(self, processes: int) -> dict[int, int]:
        """Have this many processes hold connections; how many each does."""
        held: dict[int, int] = {}

        def enough() -> bool:
            pid, answer, interpreter, count = self.ask("/hold")
            self.assertEqual((42, "app"), (answer, interpreter))
            held[pid] = count
            return len(held) >= processes

        self.assertTrue(eventually(enough, WITHIN), held)
        return held

    def gone(self, pids: set[int]) -> bool:
        """Whether none of these processes lives."""
        return not any(Path(f"/proc/{pid}").exists() for pid in pids)

    def test_embedded(self) -> None:
        """In Apache's own processes, one request at a time each."""
        self.reports(EMBEDDED, "prefork", "%{GLOBAL}")

    def test_daemon(self) -> None:
        """In processes of the application's own, with threads."""
        self.reports(DAEMON, "event", "ours")
