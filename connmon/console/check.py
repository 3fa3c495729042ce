"""``connmon check``: a status and one line, as monitoring systems want them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, NoReturn

from connmon.config import AnyAddress
from connmon.console import stream, verdict
from connmon.console.command import complain, warn
from connmon.console.freshness import no_daemon
from connmon.console.link import Failed
from connmon.console.options import (
    DEFAULT_DELAY,
    Target,
    add_target,
    joined,
    positive_seconds,
    target,
)
from connmon.console.source import of_nodes
from connmon.console.thresholds import (
    CRITICAL,
    CRITICAL_STATES,
    DEFAULTS,
    MEASURES,
    SERVER,
    UNKNOWN,
    WARNING,
    WARNING_STATES,
    Bounds,
    Limits,
)
from connmon.console.verdict import Verdict
from connmon.errors import ConfigError, ConnmonError, QueryError
from connmon.views.alert import CRIT, STATES, WARN, WELL
from connmon.views.answer import checked
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.wire.reactor import steady_reactor

TIMEOUT = 10.0
"""Seconds after which there is no answer; monitoring systems wait for 10 to 60."""

NONE = "none"
"""What switches a threshold off."""


@dataclass(frozen=True, slots=True)
class Check:
    """Which nodes to ask for what, for how long, and what to make of it."""

    target: Target
    queries: tuple[Query, ...]
    limits: Limits
    timeout: float = TIMEOUT


def main(argv: Sequence[str], program: str) -> int:
    """Print one line on standard output; the exit status, 0 to 3.

    That is so whatever goes wrong: a monitoring system reads nothing else.
    """
    try:
        wanted = parse(argv, program)
        warn(program, wanted.target.warnings)
        found = _asked(wanted)
    except ConnmonError as error:
        found = verdict.unknown(str(error))
    except Exception as error:  # noqa: BLE001  Python's status for it is a warning here
        found = verdict.unknown(f"internal error: {error!r}")
    try:
        stream.write(f"{found.line}\n")
    except ConnmonError as error:
        complain(program, str(error))
        return UNKNOWN
    return found.status


class _Parser(argparse.ArgumentParser):
    """One whose complaints are a plugin's: in a line on standard output."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong. Status 2 would be taken for critical."""
        raise ConfigError(message)


def parse(argv: Sequence[str], program: str) -> Check:
    """Read the command line.

    Raises ``ConfigError`` for a bad option, a bad config, or a service or node that it
    lacks.
    """
    parser = _Parser(
        prog=program,
        description="Whether a pool or a database server is full or nearly, somebody "
        "waits or has timed out, a program's state is bad, or processes are not heard: "
        "a plugin for Nagios, Icinga and their like. One line, and the status 0 (OK), "
        "1 (WARNING), 2 (CRITICAL) or 3 (UNKNOWN).",
        epilog="A threshold is reached by its value; none switches it off.",
        allow_abbrev=False,
    )
    add_target(parser)
    _add_choice(parser)
    _add_thresholds(parser)
    given = parser.parse_args(joined(argv))
    queries = verdict.questions(given.filter)
    try:
        for each in queries:
            checked(each)
    except QueryError as error:
        parser.error(f"argument --filter: {error}")
    return Check(target(parser, given), queries, _limits(given), given.timeout)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    """Of what, and for how long."""
    group = parser.add_argument_group("what to check")
    group.add_argument(
        "--filter",
        metavar="TEXT",
        default="",
        help="only the programs that a filter matches, and the database servers that "
        "they have pools for",
    )
    group.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=positive_seconds,
        default=TIMEOUT,
        help=f"UNKNOWN if there is no answer by then; default: {TIMEOUT:g}",
    )


def _add_thresholds(parser: argparse.ArgumentParser) -> None:
    """From where on it is not well."""
    group = parser.add_argument_group("thresholds")
    for each in MEASURES:
        for level, bound in DEFAULTS[each.name]._asdict().items():
            shown = NONE if bound is None else f"{bound:g}"
            group.add_argument(
                f"--{level}-{each.name}",
                metavar="NUMBER",
                type=_threshold,
                default=bound,
                help=f"{each.meaning}; default: {shown}",
            )
    for level, alert in (("warning", WARN), ("critical", CRIT)):
        group.add_argument(
            f"--{level}-{SERVER.name}",
            metavar="NUMBER",
            type=_threshold,
            # That one was given must be told from the usual one.
            default=argparse.SUPPRESS,
            help=f"{SERVER.meaning}; default: whatever the console has as {alert}",
        )
    for level, words in (
        ("warning", WARNING_STATES),
        ("critical", CRITICAL_STATES),
    ):
        group.add_argument(
            f"--{level}-state",
            metavar="STATES",
            type=_states,
            default=frozenset(words),
            help="a program in one of these states, with commas between them; "
            f"default: {','.join(words).lower()}",
        )


def _limits(given: argparse.Namespace) -> Limits:
    told = vars(given)
    return Limits(
        {name: _bounds(name, told) for name in DEFAULTS},
        given.warning_state,
        given.critical_state,
        frozenset(
            level
            for level, word in ((WARNING, "warning"), (CRITICAL, "critical"))
            if f"{word}_{SERVER.name}" not in told
        ),
    )


def _bounds(name: str, told: Mapping[str, Any]) -> Bounds:
    """A measure's thresholds, the usual ones where there is no option."""
    usual = DEFAULTS[name]._asdict()
    return Bounds(
        **{level: told.get(f"{level}_{name}", usual[level]) for level in usual}
    )


def _threshold(text: str) -> float | None:
    """A number, more than none, or none."""
    if text.strip().lower() == NONE:
        return None
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = float("nan")
    if not isfinite(value) or value <= 0:
        raise argparse.ArgumentTypeError(
            f"{text[:20]!r}, expected a number, more than 0, or {NONE}"
        )
    return value


def _states(text: str) -> frozenset[str]:
    """Words for states, in any case, or none."""
    words = [each.strip().upper() for each in text.split(",")]
    if words == [NONE.upper()]:
        return frozenset()
    known = [each for each in STATES if each != WELL]
    for each in words:
        if each not in known:
            expected = ", ".join(known).lower()
            raise argparse.ArgumentTypeError(
                f"{each[:20].lower()!r}, expected {NONE} or some of {expected}"
            )
    return frozenset(words)


# The question.


class _Look:
    """Waits for the frames of one moment, or for the reason why there are none."""

    def __init__(self, stop: Callable[[], None]) -> None:
        """``stop`` is called when there is either."""
        self._stop = stop
        self.frames: tuple[Frame, ...] = ()
        self.problem = ""

    def shown(
        self, frames: tuple[Frame, ...], number: int, origin: str, at: float
    ) -> None:
        """They are there."""
        self.frames = self.frames or frames
        self._stop()

    def refused(self, reason: str, number: int) -> None:
        """The node does not understand the question."""
        self.fail(reason)

    def warned(self, text: str) -> None:
        """Nothing of this is said."""

    def noted(self, text: str) -> None:
        """Nor of this."""

    def lost(self, failed: Failed) -> None:
        """By then there were frames."""

    def trying(self, address: AnyAddress, wait: float) -> None:
        """Only the outcome matters."""

    def exhausted(self, tried: tuple[Failed, ...]) -> bool:
        """No node is left."""
        self.fail(no_daemon(tried))
        return False

    def fail(self, problem: str) -> None:
        """There will be no frames; the first reason counts."""
        self.problem = self.problem or problem
        self._stop()


def look(reactor: Any, wanted: Check) -> tuple[Frame, ...]:
    """The first answer to all that is asked, frame by frame; runs the reactor.

    Raises ``ConnmonError`` if there is none within the time.
    """

    def stop() -> None:
        source.stop()
        if timer.active():
            timer.cancel()
        if reactor.running:
            reactor.stop()

    def late() -> None:
        source.stop()
        # Not at once: the link is closed in the reactor's next turn.
        reactor.callLater(0, seen.fail, f"no answer within {wanted.timeout:g} seconds")

    seen = _Look(stop)
    source = of_nodes(reactor, seen, wanted.target)
    source.watch(wanted.queries, DEFAULT_DELAY)
    timer = reactor.callLater(wanted.timeout, late)

    def begin() -> None:
        stream.at_signals(reactor, lambda number: seen.fail("interrupted"))
        source.start()

    reactor.callWhenRunning(begin)
    reactor.run()
    if not seen.frames:
        raise ConnmonError(seen.problem)
    return seen.frames


def _asked(wanted: Check) -> Verdict:
    """What the nodes' answer comes to. Raises ``ConnmonError`` if there is none."""
    return verdict.judged(look(steady_reactor(), wanted), wanted.limits)
