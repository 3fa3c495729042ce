"""Where holders of connections are, asked of real programs through real nodes."""

from __future__ import annotations

import json
import os
import re
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.whole.fleet import BIN, WITHIN, Application, Running, ran
from tests.whole.servers import eventually, free_port

#: A program whose threads, or tasks, hold connections in functions of telling names.
PROGRAM = """
import asyncio
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import QueuePool
import connmon
let_go = threading.Event()

def wait_for_the_bank(secret):
    let_go.wait()

def charge_the_card(engine):
    with engine.connect():
        wait_for_the_bank("4111-1111-1111-1111")

async def book_the_flight(engine):
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        await confirm_the_seat()

async def confirm_the_seat():
    await asyncio.sleep(600)

def work():
    engine = create_engine({url!r}, poolclass=QueuePool)
    charge_the_card(engine)

def work_in_a_task():
    async def main():
        engine = create_async_engine({url!r}.replace("sqlite", "sqlite+aiosqlite", 1))
        await asyncio.create_task(book_the_flight(engine), name="booking")
    asyncio.run(main())

def start(work, name):
    threading.Thread(target=work, name=name, daemon=True).start()

def node():
    found = connmon.status()["destinations"]
    return found and found[0]["node"]
"""


class StackTests(SynchronousTestCase):
    """``connmon stack``."""

    def setUp(self) -> None:
        """Two nodes of one service."""
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.directory = Path(directory)
        self.ports = {"node1": free_port(), "node2": free_port()}
        self.config = self.write("connmon.cfg")
        self.nodes: dict[str, Running] = {}
        for name in self.ports:
            self.start(name, self.config)

    def write(self, name: str, *lines: str) -> Path:
        """A config with these lines in it."""
        nodes = [
            f"    {node} hostname=127.0.0.1:{port} bind=127.0.0.1:{port}"
            for node, port in self.ports.items()
        ]
        section = ["[connmon_service_x]", "name: default", *lines, "nodes:", *nodes]
        path = self.directory / name
        path.write_text("\n".join(section) + "\n")
        return path

    def start(self, name: str, config: Path) -> None:
        """A node that listens."""
        node = self.stack.enter_context(
            Running([BIN / "connmond", "-c", config, "--node", name])
        )
        node.err.until(lambda line: "listens on" in line)
        self.nodes[name] = node

    def program(self, *works: str, more: str = "") -> Application:
        """A program at node1 that does these works, each in a thread."""
        url = (
            f"sqlite:///{self.directory}/shop.db?plugin=connmon&connmon_program=shop"
            f"&connmon_addr=127.0.0.1:{self.ports['node1']}{more}"
        )
        program = self.stack.enter_context(Application(PROGRAM.format(url=url)))
        for each in works:
            program.do(f"start({each}, {each!r})")
        self.assertTrue(eventually(lambda: program.do("node()") == "node1", WITHIN))
        return program

    def ask(
        self, program: Application | None, *options: str, connection: str = ""
    ) -> CompletedProcess[str]:
        """Ask the other node."""
        whose = f"{os.uname().nodename}:{program.pid}" if program else "h:1"
        nodes = ("-c", self.config, "-n", "node2")
        return ran(BIN / "connmon", "stack", *nodes, f"{whose}{connection}", *options)

    def stacks(
        self, program: Application, count: int, inmost: str = "wait_for_the_bank"
    ) -> list[dict[str, Any]]:
        """What is told, once the other node knows of so many connections.

        And once those who have them are where they stay.
        """
        told: list[dict[str, Any]] = []

        def found() -> bool:
            out = self.ask(program, "--json").stdout
            told[:] = map(json.loads, out.splitlines())
            return len(told) == count and all(
                inmost in map(_function, each["stack"]) for each in told
            )

        self.assertTrue(eventually(found, WITHIN), told)
        return told

    def test_a_thread(self) -> None:
        """The function in which it holds the connection, and no value of it."""
        program = self.program("work")
        [told] = self.stacks(program, 1)
        functions = list(map(_function, told["stack"]))
        at = functions.index("charge_the_card")
        self.assertEqual("wait_for_the_bank", functions[at + 1])
        self.assertEqual(
            ("work", "node1", "shop"),
            tuple(told[each] for each in ("owner", "node", "progname")),
        )
        for each in told["stack"]:
            self.assertRegex(each, r"^\S.*:\d+ \S+$")
        text = self.ask(program)
        self.assertEqual((0, ""), (text.returncode, text.stderr))
        self.assertIn("wait_for_the_bank", text.stdout)
        self.assertNotIn("4111", text.stdout + json.dumps(told))

    def test_a_task(self) -> None:
        """What it awaits, to the innermost."""
        [told] = self.stacks(self.program("work_in_a_task"), 1, "confirm_the_seat")
        functions = list(map(_function, told["stack"]))
        self.assertEqual(["book_the_flight", "confirm_the_seat", "sleep"], functions)
        self.assertEqual("booking", told["owner"])

    def test_one_connection(self) -> None:
        """By its number; the exit status tells whether it is out."""
        program = self.program("work", "work")
        numbers = [each["connection"] for each in self.stacks(program, 2)]
        found = self.ask(program, "--json", connection=f":{numbers[1]}")
        self.assertEqual(
            [numbers[1]],
            [json.loads(each)["connection"] for each in found.stdout.splitlines()],
        )
        lacking = self.ask(program, connection=":99")
        self.assertEqual((1, ""), (lacking.returncode, lacking.stdout))
        said = rf"connmon stack: \S+ shop\[{program.pid}\]: connection 99 is not out\n"
        self.assertRegex(lacking.stderr, f"^{said}$")

    def test_nobody(self) -> None:
        """One line, and the status says so."""
        found = self.ask(None)
        self.assertEqual(
            (1, "", "connmon stack: no process 1 at h is known\n"),
            (found.returncode, found.stdout, found.stderr),
        )

    def test_forbidden(self) -> None:
        """By the URL of an engine."""
        program = self.program("work", more="&connmon_stacks=off")
        self.why(program, "its stacks are not to be had (connmon_stacks=off)")

    def test_forbidden_by_the_node(self) -> None:
        """By the configuration of whichever node is asked."""
        program = self.program("work")
        self.stacks(program, 1)
        self.nodes["node2"].end()
        self.start("node2", self.write("off.cfg", "connmon_stacks: off"))
        self.why(program, "node node2 tells no stacks (connmon_stacks=off)")

    def test_a_process_that_is_stopped(self) -> None:
        """It is not waited for long; when it goes on, it answers."""
        program = self.program("work")
        self.stacks(program, 1)
        program.process.send_signal(signal.SIGSTOP)
        # At first the node may still have what it told a moment ago.
        self.why(program, "it does not answer within 2 seconds")
        program.process.send_signal(signal.SIGCONT)
        self.stacks(program, 1)

    def why(self, program: Application, said: str) -> None:
        """Wait until that is said of it."""
        last = [""]

        def is_said() -> bool:
            found = self.ask(program)
            last[0] = found.stderr
            return found.returncode == 1 and found.stderr.endswith(f": {said}\n")

        self.assertTrue(eventually(is_said, WITHIN), last[0])
        self.assertEqual(1, len(re.findall("\n", last[0])))


def _function(line: str) -> str:
    """The function of a line of a stack."""
    return line.rpartition(" ")[2]
