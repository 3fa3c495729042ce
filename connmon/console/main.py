"""``connmon``: which viewer is wanted, and its start."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from connmon.console import live, stream, terminal
from connmon.console.options import Target, parse
from connmon.errors import ConfigError
from connmon.wire.commands import PROGRAMS


def main(argv: Sequence[str], program: str) -> int:
    """Run the console; the exit status."""
    try:
        choices = parse(argv, program)
        for warning in choices.target.warnings:
            print(f"{program}: {warning}", file=sys.stderr)
        return view(
            choices.target,
            choices.form,
            choices.delay,
            choices.iterations,
            choices.view,
        )
    except ConfigError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1


def view(
    target: Target,
    form: str | None,
    delay: float,
    iterations: int | None,
    wanted: str = PROGRAMS,
) -> int:
    """Show the screen, or write frames, as ``chosen`` says; the exit status.

    ``wanted`` is the view to show, one of ``VIEWS``.
    """
    from twisted.internet import reactor as global_reactor

    reactor: Any = global_reactor
    # Timers must not follow adjustments of the wall clock.
    reactor.seconds = time.monotonic
    environ = dict(os.environ)
    form, iterations = chosen(form, iterations, screen=has_screen())
    if form is None:
        return live.run(reactor, target, delay, environ, wanted)
    return stream.run(
        reactor,
        target,
        form,
        delay,
        iterations=iterations,
        view=wanted,
        glyphs=terminal.glyphs(environ),
    )


def chosen(
    form: str | None, iterations: int | None, *, screen: bool
) -> tuple[str | None, int | None]:
    """The form to write, ``None`` for the screen, and how many frames.

    The screen needs a terminal. Without one, and without a form, it is plain text, and
    one frame unless told otherwise; so it is where frames are counted.
    """
    if form is None and not (screen and iterations is None):
        return "text", iterations or 1
    return form, iterations


def has_screen() -> bool:
    """Whether there is a terminal that a screen can be drawn on."""
    return terminal.interactive(dict(os.environ), _is_tty(0), _is_tty(1))


def _is_tty(fd: int) -> bool:
    """Whether a descriptor is a terminal; a closed one is not."""
    try:
        return os.isatty(fd)
    except OSError:
        return False
