"""``connmon who``: which process, thread and line a server's session belongs to."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, NamedTuple, TextIO

from connmon.console import batch, figures, sought, stream, terminal
from connmon.console.cells import harmless, sentence
from connmon.console.command import ended, warn
from connmon.console.marks import Values, number
from connmon.console.options import DEFAULT_DELAY, Target, add_target, target
from connmon.console.sought import Sought
from connmon.console.source import Source, of_nodes
from connmon.console.text import UNICODE, Glyphs, fit, width
from connmon.errors import ConnmonError, QueryError
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.views.schema import CONNECTIONS
from connmon.wire.reactor import steady_reactor

STANDARD_INPUT = "-"
"""What stands for the lines of standard input."""

MOST = 1000
"""How many sessions can be asked for at once."""

_LARGEST_INPUT = 256 * 1024

_AT_ONCE = 8
"""Sessions that a node looks for between two words to others."""

_KNOWN = ("server_session!=-", "address!=-")
"""The connections that can be found by an id, and those by an address."""

_COLUMNS = (
    ("ASKED", "asked"),
    ("HOST", "hostname"),
    ("PROGRAM", "progname"),
    ("PID", "pid"),
    ("DATABASE", "pool_name"),
    ("SESSION", "server_session"),
    ("ADDRESS", "address"),
    ("AGE", "age_seconds"),
    ("STATE", "state"),
    ("THREAD", "owner"),
    ("TAG", "tag"),
    ("CHECKED OUT AT", "site"),
)


class Found(NamedTuple):
    """A connection that was looked for, as a node told of it at a Unix time."""

    sought: Sought
    values: Values
    at: float


def main(argv: Sequence[str], program: str) -> int:
    """Print whose the sessions are; the exit status, 1 if one is not known."""

    def asked() -> int:
        nodes, wanted, form = parse(argv, program)
        warn(program, nodes.warnings)
        return _ask(nodes, wanted, form)

    return ended(program, asked)


def parse(
    argv: Sequence[str], program: str, fd: int = 0
) -> tuple[Target, tuple[Sought, ...], str]:
    """Which nodes to ask, for which sessions, and how to write it: ``json``, ``text``.

    A mistake ends the program with status 2; raises ``ConfigError`` for a bad config,
    and ``ConnmonError`` if standard input, ``fd``, cannot be read.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description="Whose a database server's session is: host, program, process, "
        "thread and line of the application.",
        epilog="An id is a thread id of MySQL or MariaDB, or the pid of a PostgreSQL "
        "backend. An address is the client's, as a server, a proxy or ss shows it; "
        "connections by UNIX sockets have none.",
        allow_abbrev=False,
    )
    add_target(parser)
    parser.add_argument(
        "sessions",
        nargs="+",
        metavar="SESSION",
        help="an id, HOST:PORT, :PORT, or - for lines of standard input",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object for each, on one line"
    )
    given = parser.parse_args(argv)
    wanted = _wanted(parser, given.sessions, fd)
    return target(parser, given), wanted, "json" if given.json else "text"


def _wanted(
    parser: argparse.ArgumentParser, given: Sequence[str], fd: int
) -> tuple[Sought, ...]:
    """The sessions that are meant, each once."""
    found: dict[str, Sought] = {}
    for where, text in _texts(given, fd):
        try:
            found[text] = sought.parse(text)
        except QueryError as error:
            parser.error(f"{where}: {error}")
    if not found:
        parser.error("standard input: no session, expected one on each line")
    if len(found) > MOST:
        parser.error(f"{len(found)} sessions, expected at most {MOST}")
    return tuple(found.values())


def _texts(given: Sequence[str], fd: int) -> Iterator[tuple[str, str]]:
    """What was asked for, and where that stands."""
    for text in given:
        if text == STANDARD_INPUT:
            for line, each in enumerate(_lines(fd), 1):
                if each.strip():
                    yield f"standard input, line {line}", each.strip()
        else:
            yield "argument SESSION", text.strip()


def _lines(fd: int) -> list[str]:
    """The lines of standard input."""
    read = b""
    try:
        while len(read) <= _LARGEST_INPUT and (more := os.read(fd, 65536)):
            read += more
    except OSError as error:
        reason = error.strerror or error
        raise ConnmonError(f"cannot read standard input: {reason}") from None
    if len(read) > _LARGEST_INPUT:
        raise ConnmonError(
            f"standard input is too long, expected at most {_LARGEST_INPUT} bytes"
        )
    return read.decode("utf-8", "replace").splitlines()


def _ask(nodes: Target, wanted: Sequence[Sought], form: str) -> int:
    reactor = steady_reactor()
    glyphs = terminal.glyphs(dict(os.environ))

    def written(found: Sequence[Found]) -> str:
        return as_json(found) if form == "json" else as_text(found, glyphs)

    def asked(stop: Callable[[int], None]) -> Source:
        inquiry = Inquiry(stream.output(1), sys.stderr, wanted, written, stop)
        source = of_nodes(reactor, inquiry, nodes)
        inquiry.begin(source)
        return source

    return stream.until_stopped(reactor, asked)


class Inquiry(stream.Stream):
    """Asks a node for some sessions, a few at once, and writes what is known of them.

    How many there are that could be found is asked only if one could not.
    """

    name: ClassVar[str] = "connmon who"

    def __init__(
        self,
        out: TextIO,
        err: TextIO,
        wanted: Sequence[Sought],
        written: Callable[[Sequence[Found]], str],
        stop: Callable[[int], None],
    ) -> None:
        """``stop`` is told the exit status once all are answered."""
        super().__init__(out, err, lambda frame, at, first: "", None, stop)
        self._to_ask = list(wanted)
        self._asked: list[Sought] = []
        self._of_all = written
        self._number = 0
        self._found: list[Found] = []
        self._missing: list[Sought] = []
        self._done = False
        self._source: Source

    def begin(self, source: Source) -> None:
        """Ask this source."""
        self._source = source
        self._ask_on()

    def shown(
        self, frames: tuple[Frame, ...], number: int, origin: str, at: float
    ) -> None:
        """Note the answers, and ask on or end."""
        if self._done or number != self._number:
            return
        self.heard(origin)
        if not self._asked:
            self._end_with(frames)
            return
        for each, frame in zip(self._asked, frames, strict=True):
            self._note(each, frame, at)
        if self._to_ask or self._missing:
            self._ask_on()
        else:
            self._end_with(())

    def _ask_on(self) -> None:
        """Ask for the next few; when all were asked for, how many could be found."""
        self._asked, self._to_ask = self._to_ask[:_AT_ONCE], self._to_ask[_AT_ONCE:]
        queries = [each.query() for each in self._asked]
        if not queries:
            queries = [Query(CONNECTIONS, where=(each,), limit=0) for each in _KNOWN]
        self._number = self._source.watch(queries, DEFAULT_DELAY)

    def _note(self, asked: Sought, frame: Frame, at: float) -> None:
        rows = batch.objects(frame, at)
        found = [Found(asked, each, at) for each in rows if asked.fits(each)]
        self._found += found
        if part := frame.part():
            self.say(f"{asked.text}: only {part} were looked at, a node sends no more")
        if not found:
            self._missing.append(asked)
        elif asked.name:
            self.say(f"{asked.text}: a name is not looked up, the port is the same")

    def _end_with(self, counted: tuple[Frame, ...]) -> None:
        """Write what was found, and say what was not, of so many that are known."""
        self._done = True
        if not self.put(self._of_all(self._found)):
            return
        for each in self._missing:
            known = counted[0 if each.by == "session" else 1]
            self.say(f"{each.text}: {_not_found(each, known)}")
        self._stop(1 if self._missing else self.status)


def _not_found(asked: Sought, known: Frame) -> str:
    """That there is none, and among how many that is known."""
    many = f"{figures.count(known.count)} of {figures.count(known.total)} open ones"
    every = known.count == known.total
    if asked.by == "session":
        others = "" if every else ", the drivers of the others do not"
        return f"no connection has that id; {many} tell theirs{others}"
    what = "has that port" if asked.by == "port" else "comes from there"
    others = "" if every else ", others use UNIX sockets, or their drivers do not"
    return f"no connection {what}; {many} tell their address{others}"


def as_json(found: Sequence[Found]) -> str:
    """One line for each, with what was asked for, and by what it was found."""
    return "".join(
        json.dumps(
            {
                "time": round(each.at, 3),
                "asked": each.sought.text,
                "by": each.sought.by,
                **each.values,
            },
            allow_nan=False,
        )
        + "\n"
        for each in found
    )


def as_text(found: Sequence[Found], glyphs: Glyphs = UNICODE) -> str:
    """The same as a table to be read by people; nothing if there is none."""
    if not found:
        return ""
    lines = [
        [heading for heading, _ in _COLUMNS],
        *([_cell(each, name, glyphs) for _, name in _COLUMNS] for each in found),
    ]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    return "".join("  ".join(map(fit, line, widths)).rstrip() + "\n" for line in lines)


def _cell(found: Found, name: str, glyphs: Glyphs) -> str:
    """What stands in a column, not cut."""
    values = found.values
    if name == "asked":
        return harmless(found.sought.text, glyphs)
    if name == "state":
        return _state(values, glyphs)
    if name == "site":
        return _line(values, glyphs)
    value = values.get(name)
    if name.endswith("_seconds"):
        return figures.duration(number(value))
    if (whole := number(value)) is not None:
        return str(int(whole))
    return harmless(value, glyphs) or figures.UNKNOWN


def _state(values: Values, glyphs: Glyphs) -> str:
    """Whether it is out, or idle, and for how long."""
    seconds = [number(values.get(name)) for name in ("out_seconds", "idle_seconds")]
    known = [figures.duration(each) for each in seconds if each is not None]
    return " ".join([harmless(values.get("state"), glyphs) or figures.UNKNOWN, *known])


def _line(values: Values, glyphs: Glyphs) -> str:
    """The line that took it; of an idle one that nobody has it, and how often one had.

    If its process is not heard, that is said, too.
    """
    said = sentence(values.get("site"), glyphs) or figures.UNKNOWN
    if values.get("state") == "idle":
        said = f"nowhere: it is in its pool{_often(number(values.get('uses')))}"
    unheard = number(values.get("stale_seconds"))
    if unheard is not None:
        said += f" (not heard for {figures.duration(unheard)})"
    return said


def _often(uses: float | None) -> str:
    """How often it was taken until now."""
    if uses is None:
        return ""
    few = {0: "never taken", 1: "taken once"}
    return ", " + few.get(int(uses), f"taken {figures.count(int(uses))} times")
