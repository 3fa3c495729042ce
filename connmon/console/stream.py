"""The batch viewer: each frame as text on standard output, for pipes and files."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, TextIO

from connmon.config import AnyAddress
from connmon.console import batch
from connmon.console.freshness import no_daemon
from connmon.console.link import Failed
from connmon.console.options import Target
from connmon.console.picture import of_line
from connmon.console.source import Past, Source, of_nodes
from connmon.console.tape import Damaged, Recording
from connmon.errors import ConnmonError, ProtocolError
from connmon.views.frame import Frame
from connmon.views.query import WHOLE, Query

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Written = Callable[[Frame, float, bool], str]
"""Makes text of a frame, its time, and whether it is the first."""


class Stream:
    """Writes frames until told to stop, out of nodes, or out of readers."""

    #: What lines on standard error begin with.
    name: ClassVar[str] = "connmon"

    def __init__(
        self,
        out: TextIO,
        err: TextIO,
        written: Written,
        iterations: int | None,
        stop: Callable[[int], None],
        *,
        limit: int = WHOLE,
    ) -> None:
        """Write at most ``iterations`` frames; ``stop`` is told the exit status.

        ``limit`` is how many rows of a frame are asked for.
        """
        self._out = out
        self._err = err
        self._written = written
        self._left = iterations
        self._limit = limit
        self._stop = stop
        self._first = True
        self._lost = ""
        #: The exit status if all goes on as it did until now.
        self.status = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will be written."""
        return self._left == 0

    def shown(
        self, frames: tuple[Frame, ...], number: int, origin: str, at: float
    ) -> None:
        """Write one frame."""
        if self.ended:
            return
        self.heard(origin)
        self._compare(frames[0])
        if self.put(self._written(frames[0], at, self._first)):
            self._wrote()

    def heard(self, origin: str) -> None:
        """There is a node: if another one was lost, it is told now."""
        if self._lost:
            self.say(f"{self._lost}going on with {origin}")
            self._lost = ""

    def put(self, text: str) -> bool:
        """Write text; false, and the end, if nobody takes it."""
        try:
            self._out.write(text)
            self._out.flush()
        except BrokenPipeError:
            self._end(0)
        except OSError as error:
            self.say(f"cannot write: {error.strerror or error}")
            self._end(1)
        else:
            return True
        return False

    def _compare(self, frame: Frame) -> None:
        """Tell it once if rows are left out; their number is in each frame."""
        if self._first and (part := frame.part(self._limit)):
            self.say(f"only {part}, a node sends no more at once: use --filter")

    def refused(self, reason: str, number: int) -> None:
        """The node does not understand what is asked for.

        If another one did, there may be more of that kind: the uplink goes on.
        """
        if self._first:
            self.say(reason)
            self._left = 0
            self._stop(1)

    def warned(self, text: str) -> None:
        """Something is to be known that is no failure."""
        self.say(text)

    def noted(self, text: str) -> None:
        """Something else failed: to be told, also by the status in the end."""
        self.say(text)
        self.status = 1

    def lost(self, failed: Failed) -> None:
        """A node went away: to be told with what comes of it, in one line."""
        self._lost = f"lost {failed}; "

    def trying(self, address: AnyAddress, wait: float) -> None:
        """Nobody needs to know."""

    def exhausted(self, tried: tuple[Failed, ...]) -> bool:
        """No node is left: end."""
        self.say(f"{self._lost}{no_daemon(tried)}")
        self._stop(1)
        return False

    def say(self, text: str) -> None:
        """Tell something in one line on standard error, if anybody reads that."""
        with suppress(OSError):
            self._err.write(f"{self.name}: {text}\n")
            self._err.flush()

    def _wrote(self) -> None:
        self._first = False
        if self._left is not None:
            self._left -= 1
        if self.ended:
            self._stop(self.status)

    def _end(self, status: int) -> None:
        """The output is of no use any more."""
        self._left = 0
        _forget(self._out)
        self._stop(status)


def writer(form: str, look: batch.Look) -> Written:
    """How frames are written in a form: ``text``, ``json``, ``csv`` or ``log``.

    All frames of one writer must be of the same view.
    """
    if form == "json":
        return lambda frame, now, first: batch.as_json(frame, now) + "\n"
    if form == "log":
        return lambda frame, now, first: batch.as_log(frame, now, look) + "\n"
    if form == "csv":
        return lambda frame, now, first: (
            (batch.csv_header(frame) if first else "") + batch.as_csv(frame, now)
        )
    return lambda frame, now, first: batch.as_text(frame, now, first=first, look=look)


def run(
    reactor: Any,
    target: Target,
    query: Query,
    written: Written,
    delay: float,
    *,
    iterations: int | None,
    record: str | None = None,
    fd: int = 1,
) -> int:
    """Write what a query shows to standard output, or ``fd``; the exit status.

    ``record`` names a file to record to, meanwhile. ^C ends with 130, SIGTERM with 143,
    SIGHUP with 129, a closed pipe with 0. Raises ``ConfigError`` for that file.
    """

    def asked(stop: Callable[[int], None]) -> Source:
        stream = Stream(
            output(fd), sys.stderr, written, iterations, stop, limit=query.limit
        )
        source = of_nodes(reactor, stream, target, record)
        source.watch((query,), delay)
        return source

    return until_stopped(reactor, asked)


def until_stopped(
    reactor: Any, asked: Callable[[Callable[[int], None]], Source]
) -> int:
    """Run the reactor with a source until its viewer stops; the exit status.

    ``asked`` makes both, and is given what the viewer stops with.
    """
    status: int | None = None

    def stop(with_status: int) -> None:
        nonlocal status
        if status is not None:
            return  # the first reason to end is the one that counts
        status = with_status
        source.stop()
        if reactor.running:
            reactor.stop()

    source = asked(stop)

    def begin() -> None:
        at_signals(reactor, lambda number: stop(128 + number))
        source.start()

    reactor.callWhenRunning(begin)
    reactor.run()
    return status or 0


def at_signals(reactor: Any, call: Callable[[int], None]) -> None:
    """Have a signal that ends programs do this instead, unless it is ignored.

    To be used when the reactor runs, which puts its own handlers in place before.
    """

    def interrupted(number: int, frame: object) -> None:
        reactor.callFromThread(call, number)

    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupted)


def replay(
    recording: Recording,
    begin: int,
    query: Query,
    written: Written,
    *,
    iterations: int | None,
    fd: int = 1,
) -> int:
    """Write what a query shows of each picture from ``begin`` on; the exit status.

    A picture that cannot be read is passed over, with a line on standard error; so is
    the rest of a file that was cut off. That is no failure.
    """
    status = 0

    def stop(with_status: int) -> None:
        nonlocal status
        status = with_status

    stream = Stream(
        output(fd), sys.stderr, written, iterations, stop, limit=query.limit
    )
    past = Past()
    past.ask((query,))
    for index in range(begin, len(recording)):
        try:
            at, line = recording.picture(index)
            past.take(of_line(line))
        except (Damaged, ProtocolError) as error:
            stream.say(f"picture {index + 1}: {error}")
            continue
        past.show(stream, "", at)
        if stream.ended:
            return status
    if recording.damage:
        stream.say(recording.damage)
    return stream.status


def write(text: str, fd: int = 1) -> None:
    """Write text to standard output, or ``fd``; a reader that left is no error.

    Raises ``ConnmonError`` for any other reason why it cannot be written.
    """
    out = output(fd)
    try:
        out.write(text)
        out.flush()
    except OSError as error:
        _forget(out)
        if not isinstance(error, BrokenPipeError):
            reason = error.strerror or error
            raise ConnmonError(f"cannot write: {reason}") from None


def output(fd: int) -> TextIO:
    """Bytes as they are made: CSV ends its lines itself, and no locale spoils names."""
    return open(fd, "w", encoding="utf-8", errors="replace", newline="", closefd=False)


def _forget(out: TextIO) -> None:
    """Keep the interpreter from writing to a broken output once more when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out.fileno())
    os.close(nowhere)
