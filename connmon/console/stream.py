"""The batch viewer: each frame as text on standard output, for pipes and files."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from random import Random
from typing import Any, TextIO

from connmon.config import AnyAddress
from connmon.console import batch
from connmon.console.link import Failed, Uplink
from connmon.console.options import Target
from connmon.console.text import Glyphs
from connmon.model.summary import AnyFrame
from connmon.wire.commands import PROGRAMS

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stream:
    """Writes frames until told to stop, out of nodes, or out of readers."""

    def __init__(
        self,
        out: TextIO,
        err: TextIO,
        written: Callable[[AnyFrame, float, bool], str],
        iterations: int | None,
        stop: Callable[[int], None],
    ) -> None:
        """``written`` makes text of a frame, its time, and whether it is the first."""
        self._out = out
        self._err = err
        self._written = written
        self._left = iterations
        self._stop = stop
        self._first = True
        self._lost = ""

    def shown(self, frame: AnyFrame, address: AnyAddress) -> None:
        """Write one frame."""
        if self._left == 0:
            return
        if self._lost:
            self._err.write(f"connmon: {self._lost}going on with {address}\n")
            self._lost = ""
        try:
            self._out.write(self._written(frame, time.time(), self._first))
            self._out.flush()
        except BrokenPipeError:
            self._left = 0
            _forget(self._out)
            self._stop(0)
            return
        except OSError as error:
            self._left = 0
            _forget(self._out)
            self._err.write(f"connmon: cannot write: {error.strerror or error}\n")
            self._stop(1)
            return
        self._first = False
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self._stop(0)

    def lost(self, failed: Failed) -> None:
        """A node went away: to be told with what comes of it, in one line."""
        self._lost = f"lost {failed}; "

    def exhausted(self, tried: tuple[Failed, ...]) -> bool:
        """No node is left: end."""
        self._err.write(f"connmon: {self._lost}{no_daemon(tried)}\n")
        self._stop(1)
        return False


def no_daemon(tried: tuple[Failed, ...]) -> str:
    """What was tried in vain, in one line."""
    return f"no daemon reached, tried {', '.join(map(str, tried))}"


def writer(form: str, glyphs: Glyphs) -> Callable[[AnyFrame, float, bool], str]:
    """How frames are written in a form: ``text``, ``json`` or ``csv``.

    All frames of one writer are of the same view.
    """
    if form == "json":
        return lambda frame, now, first: batch.as_json(frame, now) + "\n"
    if form == "csv":
        return lambda frame, now, first: (
            (batch.csv_header(frame) if first else "") + batch.as_csv(frame, now)
        )
    return lambda frame, now, first: batch.as_text(
        frame, now, first=first, glyphs=glyphs
    )


def run(
    reactor: Any,
    target: Target,
    form: str,
    delay: float,
    *,
    iterations: int | None,
    glyphs: Glyphs,
    view: str = PROGRAMS,
    fd: int = 1,
) -> int:
    """Write frames of a view to standard output, or ``fd`` for tests; the exit status.

    ^C ends with 130, SIGTERM with 143, SIGHUP with 129, a closed pipe with 0.
    """
    status: int | None = None

    def stop(with_status: int) -> None:
        nonlocal status
        if status is not None:
            return  # the first reason to end is the one that counts
        status = with_status
        uplink.stop()
        if reactor.running:
            reactor.stop()

    # Bytes as they are made: CSV ends its lines itself, and no locale may spoil names.
    out = open(  # noqa: SIM115  it is not ours to close
        fd, "w", encoding="utf-8", errors="replace", newline="", closefd=False
    )
    stream = Stream(out, sys.stderr, writer(form, glyphs), iterations, stop)
    uplink = Uplink(reactor, stream, target, delay, Random(), view=view)

    def interrupted(number: int, frame: object) -> None:
        reactor.callFromThread(stop, 128 + number)

    def begin() -> None:
        # Now, since the reactor puts its own handlers in place when it starts.
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, interrupted)
        uplink.start()

    reactor.callWhenRunning(begin)
    reactor.run()
    return status or 0


def _forget(out: TextIO) -> None:
    """Keep the interpreter from writing to a broken output once more when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out.fileno())
    os.close(nowhere)
