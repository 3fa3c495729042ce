"""The console's command line, and which nodes it means."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from connmon import __version__, config
from connmon.errors import ConfigError
from connmon.wire.commands import (
    MAX_FEED_SECONDS,
    MIN_FEED_SECONDS,
    PROGRAMS,
    VIEWS,
)

DEFAULT_DELAY = 2.0


@dataclass(frozen=True, slots=True)
class Target:
    """Which nodes to look for: a service's, one node's, or whatever is at an address.

    ``service`` is empty for whichever service is found there.
    """

    service: str
    addresses: tuple[config.AnyAddress, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choices:
    """What is asked for. ``form`` is the batch form, ``None`` for the screen.

    ``view`` is one of ``VIEWS``, on the screen the one to begin with.
    """

    target: Target
    form: str | None
    delay: float
    iterations: int | None
    view: str = PROGRAMS


def add_target(
    parser: argparse.ArgumentParser,
    node: str = "only this node; default: any of them",
    host: str = "HOST[:PORT] or unix:/PATH; no config is read",
) -> None:
    """Add the four options that every command takes, the last two in its own words."""
    group = parser.add_argument_group("which node")
    group.add_argument(
        "-c", "--config", metavar="FILE", help=f"default: {config.DEFAULT_PATH}"
    )
    group.add_argument(
        "-s", "--service", metavar="NAME", help=f"default: {config.DEFAULT_SERVICE}"
    )
    group.add_argument("-n", "--node", metavar="NAME", help=node)
    group.add_argument("-H", "--host", metavar="ADDRESS", help=host)


def parse(argv: Sequence[str], program: str) -> Choices:
    """Read the command line.

    A bad option ends the program with status 2; raises ``ConfigError`` for a bad
    config, or a service or node that it lacks.
    """
    parser = _parser(program)
    given = parser.parse_args(list(argv))
    return Choices(
        target(parser, given),
        given.form,
        given.delay,
        given.iterations,
        given.view,
    )


def target(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Target:
    """Which nodes the four options mean. Raises ``ConfigError``."""
    if given.host is not None:
        if given.node is not None:
            parser.error("-H/--host and -n/--node: give one of them, not both")
        try:
            address = config.parse_address(given.host)
        except ConfigError as error:
            parser.error(f"argument -H/--host: {error}")
        return Target(given.service or "", (address,))
    settings = config.load(given.config)
    service = settings.service(given.service or config.DEFAULT_SERVICE)
    nodes = service.nodes if given.node is None else (service.node(given.node),)
    addresses = tuple(dict.fromkeys(node.hostname for node in nodes))
    return Target(service.name, addresses, settings.warnings)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="Shows database connections as the applications hold them.",
        epilog="Other commands: connmon listen, connmon demo (each with --help).",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-V", "--version", action="version", version=f"connmon {__version__}"
    )
    add_target(parser)
    batch = parser.add_argument_group("without a screen")
    form = batch.add_mutually_exclusive_group()
    for name, what in (
        ("text", "plain text"),
        ("json", "one JSON object a tick, on one line"),
        ("csv", "one CSV line for each row and tick"),
    ):
        flags = ("-b", "--batch") if name == "text" else (f"--{name}",)
        form.add_argument(
            *flags, action="store_const", const=name, dest="form", help=what
        )
    batch.add_argument(
        "-N",
        "--iterations",
        metavar="COUNT",
        type=_count,
        help="end after so many ticks",
    )
    parser.add_argument(
        "-d",
        "--delay",
        metavar="SECONDS",
        type=_delay,
        default=DEFAULT_DELAY,
        help=f"between two ticks; default: {DEFAULT_DELAY:g}",
    )
    parser.add_argument(
        "--view",
        choices=VIEWS,
        default=PROGRAMS,
        help=f"what to show; default: {PROGRAMS}",
    )
    return parser


def _delay(text: str) -> float:
    """Seconds between two ticks, within what a node is willing to serve."""
    value = positive_seconds(text)
    if not MIN_FEED_SECONDS <= value <= MAX_FEED_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{text!r}, expected seconds from {MIN_FEED_SECONDS:g} "
            f"to {MAX_FEED_SECONDS:g}"
        )
    return value


def positive_seconds(text: str) -> float:
    """A number of seconds, more than none."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value) or value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}, expected seconds, more than 0")
    return value


def _count(text: str) -> int:
    """How many ticks."""
    plain = text.isascii() and text.isdigit() and len(text) <= 18
    if not plain or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text[:20]!r}, expected a whole number from 1"
        )
    return int(text)
