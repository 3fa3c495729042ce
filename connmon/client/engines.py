"""Which engines of this process are watched, and how one comes to be.

An engine is watched once, whoever asks first: its URL, ``connmon.attach``, or the hook
that ``python -m connmon.attach`` set. Nothing here raises but for a mistake in what the
program itself wrote; what else is wrong is told once, in the log, and the database
works.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import exc
from sqlalchemy.engine import URL, Engine

from connmon.client import options, process
from connmon.client.options import NONE, OptionError, Options, Source
from connmon.client.url import is_ours
from connmon.errors import ConfigError

if TYPE_CHECKING:
    from connmon.client.link import Destination

_log = logging.getLogger("connmon")


class Complaints:
    """What there is to say to the application's log: once for each text, few at all.

    A program may make engines all day long, each with the same fault.
    """

    def __init__(self, most: int = 20) -> None:
        """Begin with nothing said."""
        self._most = most
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        """Say it, unless it was said. Never raises."""
        if text in self._said or len(self._said) >= self._most:
            return
        self._said.add(text)
        # The application's filters and handlers are code of others.
        with suppress(Exception):
            _log.warning("connmon: %s", text)


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """What was asked for an engine that is watched, and where it reports to."""

    asked: Options
    destination: Destination


COMPLAINTS = Complaints()
_WATCHED: WeakKeyDictionary[Engine, Watched] = WeakKeyDictionary()
_CLAIMS = threading.local()


def choose(*sources: Source) -> Options | None:
    """What was asked for, all sources considered; ``None`` if nothing may be done.

    ``sources`` are the program's own, the strongest first. Raises ``ArgumentError`` for
    a mistake in them; any other mistake is told in the log.
    """
    if options.disabled(os.environ):
        odd = options.disabled_oddly(os.environ)
        if odd:
            COMPLAINTS.say(odd)
        return None
    for source in sources:
        for name in options.unknown(source):
            COMPLAINTS.say(f"unknown option {name} is ignored")
    try:
        tree = options.tree(os.environ)
        return options.choose((*tree, *sources, *everywhere()))
    except OptionError as error:
        raise exc.ArgumentError(str(error)) from None
    except ConfigError as error:
        COMPLAINTS.say(f"engines are not watched: {error}")
    except Exception as error:
        COMPLAINTS.say(f"engines are not watched: {error!r}")
    return None


def everywhere() -> Sequence[Source]:
    """The sources that hold for every engine of this process, the strongest first."""
    environment = options.environment(os.environ)
    return (environment,) if process.ASKED is None else (process.ASKED, environment)


def watch(engine: Engine, asked: Options | None) -> None:
    """Watch an engine from now on, unless it is already; never raises."""
    if asked is None or engine in _WATCHED:
        return
    try:
        # Imported here, in the thread that makes the engine, since it brings Twisted:
        # a failing import must not keep SQLAlchemy from making the engine.
        from connmon.client.postponed import postpone

        postpone()
        from connmon.client.agent import HERE
        from connmon.client.facts import name_of
        from connmon.client.link import Destination
        from connmon.client.listeners import Watch
        from connmon.client.sites import here

        destination = Destination(asked.service, asked.addresses, asked.program)
        ours = Watched(asked, destination)
        # First, since two threads may ask at once.
        if _WATCHED.setdefault(engine, ours) is ours:
            if not asked.stacks:
                HERE.tells_stacks = False
            agent = HERE.agent(destination)
            Watch(
                agent,
                engine,
                asked.transactions,
                asked.trace,
                asked.slow,
                reads_limit=asked.limit == options.LIMIT_READ,
            )
            # The line that called ``create_engine``, or ``connmon.attach``.
            site = None if asked.trace == NONE else here()
            agent.ledger.engine_made(site, name_of(engine))
    except Exception as error:
        _WATCHED.pop(engine, None)
        COMPLAINTS.say(f"engines are not watched: {error!r}")


def watched() -> list[Watched]:
    """The engines of this process that are watched and still there. Any thread."""
    alive = [key() for key in _WATCHED.keyrefs()]
    found = [_WATCHED.get(engine) for engine in alive if engine is not None]
    return [each for each in found if each is not None]


def attach(engine: object, asked: Mapping[str, object]) -> None:
    """Watch an engine that was made without us; see ``connmon.attach``."""
    watch(_engine(engine), choose(Source(asked, "connmon.attach: {}")))


def _engine(given: object) -> Engine:
    """The engine whose pool is meant."""
    asyncio = sys.modules.get("sqlalchemy.ext.asyncio")
    found: Any = given
    if asyncio is not None and isinstance(given, asyncio.AsyncEngine):
        found = given.sync_engine
    if not isinstance(found, Engine):
        raise TypeError(
            "connmon.attach: expected an Engine or an AsyncEngine, "
            f"not {type(given).__name__}"
        )
    # What execution_options() returns shares the pool and may be gone at any time.
    engine: Engine = found
    while hasattr(engine, "_proxied"):
        engine = engine._proxied
    return engine


# -- engines that ask by their URL -----------------------------------------------------


def claim(url: URL | None) -> None:
    """The engine this thread is about to make, with this very URL, asks for itself."""
    _CLAIMS.url = url


def arrived(engine: Engine) -> None:
    """An engine was made in a process that is watched as a whole; never raises."""
    try:
        is_claimed = getattr(_CLAIMS, "url", None) is engine.url
        if not is_claimed and not is_ours(engine.url):
            watch(engine, choose())
    except Exception as error:
        COMPLAINTS.say(f"engines are not watched: {error!r}")
