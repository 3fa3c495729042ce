"""``connmon``: which viewer is wanted, and its start."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from connmon.console import live, stream, terminal
from connmon.console.options import Target, parse
from connmon.errors import ConfigError


def main(argv: Sequence[str], program: str) -> int:
    """Run the console; the exit status."""
    try:
        choices = parse(argv, program)
        for warning in choices.target.warnings:
            print(f"{program}: {warning}", file=sys.stderr)
        return view(
            choices.target, choices.form, choices.delay, choices.iterations
        )
    except ConfigError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1


def view(target: Target, form: str | None, delay: float, iterations: int | None) -> int:
    """Show the screen if there is a terminal and no other form was asked for.

    Without a terminal and without a form, one frame is written as plain text.
    """
    from twisted.internet import reactor

    environ = dict(os.environ)
    if form is None and has_screen():
        return live.run(reactor, target, delay, environ)
    if form is None:
        form, iterations = "text", iterations or 1
    return stream.run(
        reactor, target, form, delay, iterations, terminal.glyphs(environ)
    )


def has_screen() -> bool:
    """Whether there is a terminal that a screen can be drawn on."""
    return terminal.interactive(dict(os.environ), _is_tty(0), _is_tty(1))


def _is_tty(fd: int) -> bool:
    """Whether a descriptor is a terminal; a closed one is not."""
    try:
        return os.isatty(fd)
    except OSError:
        return False
