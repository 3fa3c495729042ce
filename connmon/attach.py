"""Watching what does not name connmon in its URL: an engine, or a whole process.

``connmon.attach(engine, ...)`` is this module, called. ::

    python -m connmon.attach [--addr HOST:PORT ...] -- SCRIPT [ARG ...]
    python -m connmon.attach [--addr HOST:PORT ...] -- -m MODULE [ARG ...]

runs a program as ``python`` would, and watches every engine it makes. SCRIPT is a path,
or the name of a command on PATH that is written in Python.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

from connmon.client import options, process, target
from connmon.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

PROGRAM = "connmon.attach"
MISUSED = 2

HELP = """\
Usage: python -m {program} [OPTION ...] -- SCRIPT [ARG ...]
       python -m {program} [OPTION ...] -- -m MODULE [ARG ...]

Runs a program as Python would, and watches every SQLAlchemy engine it makes. SCRIPT
is a path, or the name of a command on PATH that is written in Python.

Options:
  --addr ADDRESS        a node, HOST[:PORT] or unix:/PATH; then no configuration is read
  --service NAME        the service to report to; default
  --config FILE         the configuration; /etc/connmon.cfg
  --program NAME        what to call the program; its own name
  --trace WHICH         note the lines of checkouts: on, all, slow (that wait), off
  --transactions WHICH  follow the transactions of checkouts: on, all, off
  --slow SECONDS        tell of each checkout that lasts longer; 30, or off
  --limit read          ask each database server once for its max_connections; off
{switches}
  -h, --help            show this

What an engine's own URL says goes before these options, and these go before the
environment (CONNMON_ADDR, CONNMON_SERVICE, ...). CONNMON_DISABLE=1 turns all off."""


class Attach(ModuleType):
    """The module's own class: a module that can be called."""

    def __call__(
        self,
        engine: Engine | AsyncEngine,
        *,
        addr: str | None = None,
        service: str | None = None,
        config: str | os.PathLike[str] | None = None,
        program: str | None = None,
        trace: str | bool | None = None,
        slow: float | str | None = None,
        limit: str | None = None,
        transactions: str | bool | None = None,
        stacks: str | bool | None = None,
    ) -> None:
        """Watch an engine that was made without connmon in its URL.

        It may be in use: a connection that was made before is taken up when it is next
        checked out. An engine that is watched stays as it is. Raises ``ArgumentError``
        for an option that is wrong, and ``TypeError`` for what is no engine.
        """
        from connmon.client import engines

        asked = {
            "addr": addr,
            "service": service,
            "config": config,
            "program": program,
            "trace": trace,
            "slow": slow,
            "limit": limit,
            "transactions": transactions,
            "stacks": stacks,
        }
        engines.attach(engine, asked)


def main(argv: Sequence[str]) -> None:
    """Run a program, and watch every engine it makes."""
    try:
        asked, wanted = _parse(list(argv))
        if not options.disabled(os.environ):
            _check(asked)
            process.watch_all(asked)
        target.run(wanted)
    except (options.OptionError, target.NotRunnable) as error:
        _misused(str(error))


def _parse(argv: list[str]) -> tuple[options.Source, target.Target]:
    """What to ask for, and what to run.

    argparse would import compressors and locales that the program may never want.
    """
    end = argv.index("--") if "--" in argv else len(argv)
    values: dict[str, object] = {}
    words = iter(argv[:end])
    for word in words:
        if word in ("-h", "--help"):
            print(_help())
            sys.exit(0)
        name, equals, value = _split(word)
        if name in values:
            _misused(f"--{name}: expected it once")
        if name in options.SWITCHES:
            values[name] = value if equals else True
        else:
            values[name] = value if equals else next(words, "")
    if values.get("config"):
        # The program may go to another directory before it makes an engine.
        values["config"] = os.path.abspath(str(values["config"]))
    if end == len(argv):
        _misused("expected -- before the program to run")
    return options.Source(values, "--{}"), target.parse(argv[end + 1 :])


def _split(word: str) -> tuple[str, str, str]:
    """An option's plain name, ``=`` if that is in the word, and what follows it."""
    flag, equals, value = word.partition("=")
    if flag[:2] != "--" or flag[2:] not in options.NAMES:
        known = ", ".join(f"--{name}" for name in options.NAMES)
        _misused(f"{word!r} before --, expected one of: {known}")
    return flag[2:], equals, value


def _help() -> str:
    switches = [f"  --{name:<20}{what}" for name, what in options.SWITCHES.items()]
    return HELP.format(program=PROGRAM, switches="\n".join(switches))


def _check(asked: options.Source) -> None:
    """Tell a mistake in the command line now; any other can wait for an engine."""
    try:
        options.choose((asked, options.environment(os.environ)))
    except options.OptionError:
        raise
    except ConfigError:
        return


def _misused(text: str) -> NoReturn:
    print(f"{PROGRAM}: {text} (see --help)", file=sys.stderr)
    sys.exit(MISUSED)


if __name__ == "__main__":
    main(sys.argv[1:])
else:
    sys.modules[__name__].__class__ = Attach
