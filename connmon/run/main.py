"""``connmon run``: run a command, and fail if it does not return its connections."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import IO, Any

from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from connmon.errors import ConnmonError
from connmon.run.child import Child, NotStarted
from connmon.run.environment import watched
from connmon.run.node import PrivateNode, private
from connmon.run.telling import as_object, as_text
from connmon.run.witness import Verdict, Witness
from connmon.wire.reactor import steady_reactor

SETTLED_SECONDS = 0.1
"""For how long nobody must have been linked, for all to be heard."""

GRACE_SECONDS = 2.0
"""How long processes are waited for that outlive the command."""

_TICK = 0.02


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    command: tuple[str, ...]
    status: int
    file: IO[str] | None


def main(argv: Sequence[str], program: str) -> int:
    """Run a command; its exit status, or another if it left connections behind."""
    asked = parse(argv, program)
    with asked.file or nullcontext():
        return _run_and_tell(asked, program)


def _run_and_tell(asked: Asked, program: str) -> int:
    try:
        status, verdict = _run(asked.command)
    except NotStarted as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.status
    except ConnmonError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    for line in as_text(verdict):
        print(f"{program}: {line}", file=sys.stderr)
    if asked.file is not None:
        try:
            _write(asked.file, as_object(verdict, status))
        except OSError as error:
            print(f"{program}: cannot write: {error.strerror}", file=sys.stderr)
            return status or 1
    return status or (0 if verdict.is_clean else asked.status)


def _write(file: IO[str], told: dict[str, Any]) -> None:
    with file:
        json.dump(told, file, indent=2)
        file.write("\n")


def parse(argv: Sequence[str], program: str) -> Asked:
    """What is to be done. A mistake ends the program, with status 2."""
    parser = argparse.ArgumentParser(
        prog=program,
        usage="%(prog)s [OPTION ...] -- COMMAND [ARG ...]",
        description="Runs a command, watches every SQLAlchemy engine of it and of the "
        "processes it starts, and fails if a connection is not returned.",
        epilog="The exit status is the command's own, if that is not 0.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="write what was found to a file",
    )
    parser.add_argument(
        "--status",
        metavar="N",
        type=_status,
        default=1,
        help="the exit status if connections were not returned; default: 1",
    )
    words = list(argv)
    end = words.index("--") if "--" in words else len(words)
    given = parser.parse_args(words[:end])
    command = tuple(words[end + 1 :])
    if not command:
        parser.error("expected -- and a command to run")
    return Asked(command, given.status, _opened(parser, given.json))


def _status(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= 255:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0 to 255")


def _opened(parser: argparse.ArgumentParser, path: str | None) -> IO[str] | None:
    """A file to write to, opened before anything is run for nothing."""
    if path is None:
        return None
    try:
        return open(path, "w", encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        parser.error(f"argument --json: cannot write {path!r}: {reason}")


def _run(command: Sequence[str]) -> tuple[int, Verdict]:
    """Run a command to its end; its exit status, and what was seen meanwhile."""
    reactor = steady_reactor()
    _log_faults()
    witness = Witness()
    failure: NotStarted | None = None
    with private(reactor, witness) as node:
        end = End(reactor, node)
        child = Child(command, watched(os.environ, node.address))
        child.hear_signals()
        try:
            child.start(lambda status: reactor.callFromThread(end.came, status))
        except NotStarted as error:
            failure = error
            reactor.callWhenRunning(reactor.stop)
        reactor.run(installSignalHandlers=False)
    if failure is not None:
        raise failure
    return end.status, witness.verdict()


def _log_faults() -> None:
    """Have a fault of our own told, and nothing else."""
    wanted = LogLevelFilterPredicate(defaultLogLevel=LogLevel.critical)
    observer: Any = FilteringLogObserver(textFileLogObserver(sys.stderr), [wanted])
    globalLogBeginner.beginLoggingTo(
        [observer], redirectStandardIO=False, discardBuffer=True
    )


class End:
    """The end of the command, and of what it started."""

    def __init__(self, reactor: Any, node: PrivateNode) -> None:
        """Nothing has ended."""
        self._reactor = reactor
        self._node = node
        self._deadline = 0.0
        self._quiet_since = 0.0
        self.status = 0

    def came(self, status: int) -> None:
        """The command ended: hear the others out that end with it."""
        self.status = status
        now = self._reactor.seconds()
        self._deadline, self._quiet_since = now + GRACE_SECONDS, now
        self._look()

    def _look(self) -> None:
        now = self._reactor.seconds()
        if not self._node.is_quiet:
            self._quiet_since = now
        if now >= min(self._deadline, self._quiet_since + SETTLED_SECONDS):
            self._reactor.stop()
        else:
            self._reactor.callLater(_TICK, self._look)
