"""``connmon``: which viewer is wanted, and its start."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from connmon.console import batch, preferences, stream, terminal
from connmon.console.choices import Choices
from connmon.console.command import ended, warn
from connmon.console.live import Live
from connmon.console.logbook import Logbook
from connmon.console.options import DEFAULT_DELAY, Target, Wanted, fields, parse
from connmon.console.place import Place, Screen
from connmon.console.player import Player, moment
from connmon.console.source import Replayed, Source, of_nodes
from connmon.console.tape import Recording
from connmon.errors import ConfigError
from connmon.views.query import Query
from connmon.views.schema import PROGRAMS, VIEWS
from connmon.wire.reactor import steady_reactor
from connmon.wording import printable

MOST_WARNINGS = 5
"""Warnings about what was kept that are shown; more would scroll the first away."""


def main(argv: Sequence[str], program: str) -> int:
    """Run the console; the exit status."""

    def viewed() -> int:
        wanted = parse(argv, program)
        if wanted.list_fields:
            stream.write(fields(VIEWS[wanted.query.view]))
            return 0
        warn(program, wanted.target.warnings if wanted.target else ())
        return view(wanted)

    return ended(program, viewed)


def watch(
    target: Target, form: str | None, delay: float, iterations: int | None
) -> int:
    """Show the programs that the nodes of ``target`` know; the exit status."""
    return view(
        Wanted(
            target=target,
            form=form,
            query=Query(PROGRAMS),
            view=PROGRAMS,
            delay=delay,
            iterations=iterations,
        )
    )


def view(wanted: Wanted) -> int:
    """Show the screen, or write frames, as ``chosen`` says; the exit status."""
    reactor = steady_reactor()
    environ = dict(os.environ)
    replaying = wanted.replay is not None
    form, iterations = chosen(
        wanted.form, wanted.iterations, screen=has_screen(), replaying=replaying
    )
    if form is None:
        return show(reactor, wanted, environ)
    look = batch.Look(wanted.width, Choices(), terminal.glyphs(environ))
    written = stream.writer(form, look)
    if wanted.replay is not None:
        recording = _recording(wanted.replay)
        begin = recording.find(_moment(recording, wanted.at))
        return stream.replay(
            recording, begin, wanted.query, written, iterations=iterations
        )
    assert wanted.target is not None
    return stream.run(
        reactor,
        wanted.target,
        wanted.query,
        written,
        wanted.delay or DEFAULT_DELAY,
        iterations=iterations,
        record=wanted.record,
    )


def chosen(
    form: str | None,
    iterations: int | None,
    *,
    screen: bool,
    replaying: bool = False,
) -> tuple[str | None, int | None]:
    """The form to write, ``None`` for the screen, and how many frames.

    The screen needs a terminal. Without one, and without a form, it is plain text, and
    one frame unless told otherwise, all of a recording; so it is where frames are
    counted.
    """
    if form is None and not (screen and iterations is None):
        return "text", iterations or (None if replaying else 1)
    return form, iterations


def has_screen() -> bool:
    """Whether there is a terminal that a screen can be drawn on."""
    return terminal.interactive(dict(os.environ), _is_tty(0), _is_tty(1))


def show(
    reactor: Any, wanted: Wanted, environ: dict[str, str], **for_tests: Any
) -> int:
    """Show the screen until it is left; the exit status.

    Raises ``ConnmonError`` if there is no terminal, or a recording is of no use.
    Further arguments are those that the terminal takes for tests.
    """
    return _Show(reactor, wanted, environ, **for_tests).run()


class _Show:
    """The parts of the screen, put together."""

    _log = Logger(namespace="connmon.console")

    def __init__(
        self, reactor: Any, wanted: Wanted, environ: dict[str, str], **for_tests: Any
    ) -> None:
        self._reactor = reactor
        self._status = 0
        kept, warnings = preferences.load(environ)
        self._logbook = Logbook()
        for warning in warnings[:MOST_WARNINGS]:
            self._logbook.note(warning)
        begin = _begin(wanted, kept, warnings)
        glyphs = terminal.glyphs(environ)
        live = Live(reactor, begin, glyphs, self._logbook, environ, color=wanted.color)
        self._live = live
        self._source, player = _source(reactor, wanted, live)
        self._terminal = terminal.Terminal(
            reactor,
            terminal.painter(environ, begin.choices.theme, wanted.color),
            on_key=live.pressed,
            on_resize=live.resized,
            on_exit=self._leave,
            **for_tests,
        )
        live.join(self._terminal, self._source, player)
        # The clock goes on also while no frame comes.
        self._ticking = LoopingCall(live.draw)
        self._ticking.clock = reactor

    def run(self) -> int:
        """Run until the screen is left; the exit status."""
        self._logbook.open()
        try:
            self._terminal.start()
            self._reactor.callWhenRunning(self._begin)
            self._reactor.run()
        finally:
            self._logbook.close()
        if self._live.last_words:
            print(f"connmon: {self._live.last_words}", file=sys.stderr)
        return self._status

    def _begin(self) -> None:
        self._source.start()
        self._ticking.start(1.0).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        """What cannot be drawn must not stand there as if it were new."""
        self._log.failure("the screen ends by an error of its own", failure)
        self._terminal.stop(terminal.FAILURE_STATUS)

    def _leave(self, status: int) -> None:
        self._status = status
        self._live.stop()
        self._source.stop()
        if self._ticking.running:
            self._ticking.stop()
        if self._reactor.running:
            self._reactor.stop()


def _begin(wanted: Wanted, kept: Choices, warnings: tuple[str, ...]) -> Screen:
    """The screen to begin with: what was kept, but for what is asked for now."""
    first = wanted.view or kept.view
    sorts = dict(kept.sorts)
    if wanted.sort is not None:
        sorts[wanted.query.view] = wanted.sort
        first = wanted.query.view
    if wanted.query.where:
        first = wanted.query.view
    choices = replace(kept, view=first, sorts=sorts, delay=wanted.delay or kept.delay)
    where = wanted.query.where[0] if wanted.query.where else ""
    notice = f"{warnings[0]} (L shows the log)" if warnings else ""
    return Screen(
        places=(Place(first, where=where),),
        choices=choices,
        notice=notice,
        notice_is_error=bool(notice),
    )


def _source(reactor: Any, wanted: Wanted, live: Live) -> tuple[Source, Player | None]:
    """Where the frames come from. Raises ``ConfigError`` for a file of no use."""
    if wanted.replay is not None:
        return _replayed(reactor, wanted, live, _recording(wanted.replay))
    assert wanted.target is not None
    return of_nodes(reactor, live, wanted.target, wanted.record), None


def _replayed(
    reactor: Any, wanted: Wanted, live: Live, recording: Recording
) -> tuple[Source, Player]:
    """A recording as a source, and its player."""

    def ended() -> None:
        if recording.damage:
            live.noted(recording.damage)

    source = Replayed(reactor, live, wanted.replay or "")
    player = Player(reactor, recording, source.played, ended, wanted.speed)
    source.join(player)
    player.jump(_moment(recording, wanted.at))
    return source, player


def _recording(path: str) -> Recording:
    """A recording that has something to show, or ``ConfigError``."""
    recording = Recording(path)
    if not len(recording):
        why = recording.damage or printable(path)
        raise ConfigError(f"{why}: there is no picture to show")
    return recording


def _moment(recording: Recording, text: str | None) -> float:
    """The time that ``--at`` means; without it, the beginning."""
    times = recording.times
    return times[0] if text is None else moment(text, times[0], times[-1])


def _is_tty(fd: int) -> bool:
    """Whether a descriptor is a terminal; a closed one is not."""
    try:
        return os.isatty(fd)
    except OSError:
        return False
