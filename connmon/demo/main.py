"""``connmon demo``: a node, programs that use databases, and the console on top.

Each of them is a process of its own. They end when this one does, however it ends: each
reads from a pipe that only this process holds open for writing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress

from connmon import config
from connmon.console.main import has_screen, watch
from connmon.console.options import Target, add_target, positive_seconds
from connmon.errors import ConfigError

#: The programs, and how many processes of each.
PROGRAMS = (("shop-api", 3), ("payments", 2), ("nightly-report", 1))

DELAY = 1.0
END_SECONDS = 3.0


def main(argv: Sequence[str], program: str) -> int:
    """Run the demo until its console ends; the console's exit status."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="A node, some programs and the console, all on this machine.",
        allow_abbrev=False,
    )
    add_target(
        parser,
        node="which node of the config to run",
        host="listen here; default: a free port of 127.0.0.1",
    )
    parser.add_argument(
        "--seconds",
        type=positive_seconds,
        default=15.0,
        help="without a terminal: how long to print frames; default: 15",
    )
    given = parser.parse_args(list(argv))
    fleet = Fleet(tempfile.mkdtemp(prefix="connmon-demo-"))
    try:
        if has_screen():
            print("starting a node and some programs ...", file=sys.stderr)
        address = fleet.start_node(_node_options(given, fleet.write_config()))
        for name, count in PROGRAMS:
            for _ in range(count):
                fleet.start_program(name, address)
        fleet.await_programs()
        return _watch(address, given.seconds)
    except ConfigError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    finally:
        fleet.end()


def _watch(address: config.AnyAddress, seconds: float) -> int:
    """The console, or frames for a while where there is no terminal."""
    target = Target("", (address,))
    if has_screen():
        return watch(target, None, DELAY, None)
    return watch(target, "text", DELAY, max(round(seconds / DELAY), 1))


def _node_options(given: argparse.Namespace, own_config: str) -> list[str]:
    """The node's options: as given, but on a free local port unless told otherwise.

    The machine's own config, if it has one, is used only where it is asked for.
    """
    options = ["--host", given.host or "127.0.0.1:0"]
    if (given.config, given.service, given.node) == (None, None, None):
        return [*options, "--config", own_config]
    if given.config is not None:
        options += ["--config", os.path.abspath(given.config)]
    for name in ("service", "node"):
        value = getattr(given, name)
        if value is not None:
            options += [f"--{name}", value]
    return options


class Fleet:
    """The demo's processes and their files."""

    def __init__(self, directory: str) -> None:
        """Nothing runs yet; everything will be kept in ``directory``."""
        self._directory = directory
        self._processes: list[subprocess.Popen[str]] = []

    def write_config(self) -> str:
        """Write a config of one node, and nothing to choose; its path."""
        path = os.path.join(self._directory, "connmon.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config.BUILTIN)
        return path

    def start_node(self, options: list[str]) -> config.AnyAddress:
        """Start the node; where it listens. Its complaint is a ``ConfigError``."""
        node = self._start("node", self._directory, *options)
        assert node.stdout is not None
        said = node.stdout.readline().strip()
        if said.startswith("listening "):
            return config.parse_address(said.removeprefix("listening "))
        node.wait()
        with open(self._log(), encoding="utf-8", errors="replace") as log:
            lines = log.read().strip().splitlines()
        complaint = lines[-1] if lines else "no reason given"
        raise ConfigError(f"the node did not start: {complaint}")

    def start_program(self, name: str, address: config.AnyAddress) -> None:
        """Start one process of a program."""
        self._start("program", name, self._directory, str(address))

    def await_programs(self) -> None:
        """Wait until each has connected to its database, or has ended."""
        for program in self._processes[1:]:
            assert program.stdout is not None
            program.stdout.readline()

    def end(self) -> None:
        """End every process and remove every file."""
        for process in self._processes:
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()
        for process in self._processes:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        """One process of ours, out of reach of the terminal's ^C and ^Z."""
        with open(self._log(), "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "connmon.demo.child", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                # Python puts this directory first where it looks for modules; the
                # viewer's own may hold anything, such as a queue.py.
                cwd=self._directory,
            )
        self._processes.append(process)
        return process

    def _log(self) -> str:
        return os.path.join(self._directory, "demo.log")
