"""What may be asked for, where, and which of several answers counts.

The rule, pure but for reading a configuration: options come from *sources*, the
strongest first: arguments, the URL, the command line of ``python -m connmon.attach``,
the environment. Where ``connmon run`` watches, what it asks for goes before all of
them. Each option is taken from the first source that has it. ``addr`` and
``config`` are two answers to one question, where the nodes are: the one from the
stronger source counts, and of the same source ``addr`` does.

A mistake written where a programmer sees the answer is an ``OptionError``; one found
anywhere else, a plain ``ConfigError``, must not keep an application from its database.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import inf
from typing import Any

from connmon import config
from connmon.errors import ConfigError
from connmon.wording import is_word

PREFIX = "connmon_"
ENVIRONMENT = "CONNMON_"
DISABLE = "CONNMON_DISABLE"

TREE = "CONNMON_RUN"
"""The address of the node of ``connmon run``, which sets this for all it starts."""

_TREE_AT_IMPORT = os.environ.get(TREE, "")

TREE_SERVICE = "run"
"""The service which that node is of."""

ON = ("1", "true", "yes", "on")
OFF = ("0", "false", "no", "off")

#: Which checkouts to look at more closely, to note the line of the application or to
#: follow transactions: so many a second, all, those that had to wait for a connection,
#: or none.
WITHIN_BUDGET = "on"
ALL = "all"
SLOW = "slow"
NONE = "off"

#: From how many seconds on a checkout is told to last too long.
SLOW_SECONDS = 30.0
#: Whether to ask database servers for their limit.
LIMIT_READ = "read"
LIMIT_OFF = "off"

_LONGEST_NAME = 255
_LONGEST_SHOWN = 200
_MOST_SECONDS = 1e9


class OptionError(ConfigError):
    """A mistake in the program's own words: told to whoever wrote them."""


def _switch(what: str, default: bool = False) -> bool:
    """An on/off option; ``what`` it does, for ``--help``."""
    made: bool = field(default=default, metadata={"what": what})
    return made


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for one engine, all sources considered.

    ``service`` is empty for whichever service is found at the addresses. ``trace`` and
    ``transactions`` say of which checkouts to note the line, and the transactions:
    ``WITHIN_BUDGET``, ``ALL``, ``NONE``, and ``SLOW`` for the lines. ``slow`` is the
    seconds from which on a checkout is told to last too long, ``inf`` for never,
    ``limit`` is ``LIMIT_READ`` or ``LIMIT_OFF``. A new on/off option is one more line
    here: its name works in every source.
    """

    service: str
    addresses: tuple[config.AnyAddress, ...]
    program: str
    trace: str = WITHIN_BUDGET
    slow: float = SLOW_SECONDS
    limit: str = LIMIT_OFF
    transactions: str = WITHIN_BUDGET
    stacks: bool = _switch("tell who asks where holders are; =off: never", True)


#: The on/off options, and what each does.
SWITCHES: Mapping[str, str] = {
    each.name: each.metadata["what"]
    for each in fields(Options)
    if "what" in each.metadata
}

#: Every option, by its plain name.
NAMES = (
    *("addr", "service", "config", "program", "trace", "transactions", "slow", "limit"),
    *SWITCHES,
)


@dataclass(frozen=True, slots=True)
class Source:
    """One place where options are written.

    ``values`` has them by plain name, ``spelling`` says how the place spells a name
    (the second field is the name in capitals), and ``told`` whether its mistakes are
    told to the program.
    """

    values: Mapping[str, object]
    spelling: str = PREFIX + "{}"
    told: bool = True

    def spelled(self, name: str) -> str:
        """An option's name, as this place has it."""
        return self.spelling.format(name, name.upper())


@dataclass(frozen=True, slots=True)
class _Written:
    """An option that was found: its value, and where; a lower ``rank`` is stronger."""

    name: str
    value: str
    source: Source
    rank: int

    def fault(self, text: str) -> ConfigError:
        """A mistake in it."""
        return _fault(self.name, self.value, self.source, text)


def environment(environ: Mapping[str, str]) -> Source:
    """The source that the environment is. What is empty there is not given."""
    values = {name: environ.get(ENVIRONMENT + name.upper()) for name in NAMES}
    given = {name: value for name, value in values.items() if value}
    return Source(given, ENVIRONMENT + "{1}", told=False)


def in_tree(environ: Mapping[str, str]) -> bool:
    """Whether this program was started by ``connmon run``, or by what that started."""
    return bool(tree(environ))


def tree(environ: Mapping[str, str]) -> Sequence[Source]:
    """What ``connmon run`` asks for, which goes before all else; nothing without it.

    Other nodes than its own hear nothing of what it runs, whatever URLs say, and also
    if a test has emptied the environment for a while.
    """
    address = environ.get(TREE) or _TREE_AT_IMPORT
    if not address:
        return ()
    asked = {"addr": address, "service": TREE_SERVICE, "trace": ALL}
    return (Source(asked, TREE + ": {}", told=False),)


def disabled(environ: Mapping[str, str]) -> str:
    """Why nothing at all may be done here, empty if it may.

    A value that is neither on nor off counts as on: whoever sets it wants us out.
    """
    value = environ.get(DISABLE, "").strip()
    if not value or value.lower() in OFF:
        return ""
    return f"{DISABLE}={_shown(value)}"


def disabled_oddly(environ: Mapping[str, str]) -> str:
    """What is wrong with the way it was disabled, empty if nothing is."""
    why = disabled(environ)
    if not why or environ[DISABLE].strip().lower() in ON:
        return ""
    return f"{why}: expected 1 or 0, taken for 1"


def choose(
    sources: Sequence[Source],
    load: Callable[[str | None], config.Config] = config.load,
    program: Callable[[], str] | None = None,
) -> Options:
    """The options that hold. Raises ``OptionError``, or else ``ConfigError``."""
    written, switches = _read(sources)
    service, addresses, stacks = _whereto(written, load)
    switches.setdefault("stacks", stacks)
    name = written["program"].value if "program" in written else None
    if name is None:
        name = (program or program_name)()
    chosen: dict[str, Any] = {
        each: written[each].value for each in _READERS if each in written
    }
    slow = float(written["slow"].value) if "slow" in written else SLOW_SECONDS
    chosen |= switches
    return Options(service, addresses, name, slow=slow, **chosen)


def unknown(source: Source) -> list[str]:
    """The options of a source that we do not have (yet), as it spells them."""
    return [source.spelled(name) for name in source.values if name not in NAMES]


# -- what is written -------------------------------------------------------------------


def _fault(name: str, value: object, source: Source, text: str) -> ConfigError:
    """A mistake in one option: its name as it is spelled, its value, and what."""
    kind = OptionError if source.told else ConfigError
    return kind(f"{source.spelled(name)}={_shown(value)}: {text}")


def _read(sources: Sequence[Source]) -> tuple[dict[str, _Written], dict[str, bool]]:
    """The option texts and the switches, each from the strongest source that has it."""
    written: dict[str, _Written] = {}
    switches: dict[str, bool] = {}
    faults: list[ConfigError] = []
    for name in NAMES:
        for rank, source in enumerate(sources):
            value = source.values.get(name)
            if value is None:
                continue
            try:
                if name in SWITCHES:
                    switches[name] = _switched(name, value, source)
                else:
                    written[name] = _worded(name, value, source, rank)
            except ConfigError as fault:
                faults.append(fault)
            break
    if faults:
        # What can be told goes first: the rest is a line in a log at most.
        raise next(
            (each for each in faults if isinstance(each, OptionError)), faults[0]
        )
    return written, switches


def _switched(name: str, value: object, source: Source) -> bool:
    """Whether an on/off option is on."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ON + OFF:
        return value.strip().lower() in ON
    raise _fault(name, value, source, "expected on or off, once")


def _looked_at(*others: str) -> Callable[[str, object, Source], str]:
    """What reads which checkouts to look at: on or off in any word, or these others."""

    def read(name: str, value: object, source: Source) -> str:
        word = value.strip().lower() if isinstance(value, str) else ""
        if word in others:
            return word
        try:
            return WITHIN_BUDGET if _switched(name, value, source) else NONE
        except ConfigError:
            expected = f"expected on, {', '.join(others)} or off, once"
            raise _fault(name, value, source, expected) from None

    return read


def _seconds(name: str, value: object, source: Source) -> float:
    """How many seconds; ``inf`` if it is off, or 0."""
    text = value.strip().lower() if isinstance(value, str) else value
    if text is False or (isinstance(text, str) and text in OFF):
        return inf
    if not isinstance(text, bool) and isinstance(text, (str, int, float)):
        try:
            seconds = float(text)
        except (ValueError, OverflowError):
            seconds = -1.0
        if 0.0 <= seconds <= _MOST_SECONDS:
            return seconds or inf
    raise _fault(name, value, source, "expected a number of seconds, 0 or off, once")


def _limited(name: str, value: object, source: Source) -> str:
    """Whether to read the servers' limits; what is off in other words counts too."""
    word = value.strip().lower() if isinstance(value, str) else value
    if word == LIMIT_READ:
        return LIMIT_READ
    if word is False or word in OFF:
        return LIMIT_OFF
    raise _fault(name, value, source, "expected read or off, once")


def _worded(name: str, value: object, source: Source, rank: int) -> _Written:
    """An option that is a text."""
    if name == "slow":
        return _Written(name, str(_seconds(name, value, source)), source, rank)
    if name in _READERS:
        return _Written(name, _READERS[name](name, value, source), source, rank)
    if name == "config" and isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str) or not value:
        raise _fault(name, value, source, "expected it once, as non-empty text")
    written = _Written(name, value, source, rank)
    if name == "service" and not _is_name(value):
        raise written.fault(
            f"expected one printable word of at most {_LONGEST_NAME} characters"
        )
    if name == "program" and not (value.isprintable() and value.strip()):
        raise written.fault("expected printable text")
    return written


_READERS = {
    "trace": _looked_at(ALL, SLOW),
    "transactions": _looked_at(ALL),
    "limit": _limited,
}
"""The texts that are one of a few words."""


def _is_name(value: str) -> bool:
    """Whether this can be a service's name at all."""
    return is_word(value) and len(value) <= _LONGEST_NAME


def _shown(value: object) -> str:
    """A value as a message shows it: on one line, and not endless."""
    plain = isinstance(value, str) and value and value.isprintable()
    text = str(value) if plain else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


# -- where to --------------------------------------------------------------------------

_Whereto = tuple[str, tuple[config.AnyAddress, ...], bool]
"""The service, empty for any, its nodes' addresses, and whether to tell stacks."""


def _whereto(
    written: Mapping[str, _Written], load: Callable[[str | None], config.Config]
) -> _Whereto:
    """Where to report, and what the configuration says besides."""
    addr, file, service = (written.get(each) for each in ("addr", "config", "service"))
    if addr is not None and (file is None or addr.rank <= file.rank):
        try:
            address = config.parse_address(addr.value)
            return service.value if service else "", (address,), True
        except ConfigError as error:
            raise addr.fault(str(error)) from None
    try:
        found = load(file.value if file else None)
    except ConfigError as error:
        raise file.fault(str(error)) if file else error from None
    return _served(found, file, service)


def _served(
    found: config.Config, file: _Written | None, service: _Written | None
) -> _Whereto:
    """The service that is wanted of a configuration."""
    name = service.value if service else config.DEFAULT_SERVICE
    try:
        chosen = found.service(name)
    except ConfigError as error:
        raise _lacking(str(error), file, service) from None
    return chosen.name, tuple(node.hostname for node in chosen.nodes), chosen.stacks


def _lacking(text: str, file: _Written | None, service: _Written | None) -> ConfigError:
    """A service the configuration lacks: whose mistake that is.

    It is the program's only if the program named the file, too: the default file is
    another's, and so is one that the environment names.
    """
    named = service or file
    if named is None:
        return ConfigError(text)
    ours = file is not None and file.source.told and named.source.told
    return _fault(named.name, named.value, replace(named.source, told=ours), text)


def program_name() -> str:
    """What this program is called: the module run by ``-m``, or the script's name."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    module = getattr(spec, "name", None)
    if module and module != "__main__":
        return str(module).removesuffix(".__main__")
    path = (getattr(sys, "argv", None) or [""])[0]
    if os.path.basename(path) == "__main__.py":
        # A package run by -m, as a child of multiprocessing sees it.
        path = os.path.dirname(path)
    return os.path.basename(path) or os.path.basename(sys.executable) or "python"
