"""connmon.cfg: its text becomes frozen values, its mistakes become one clear line.

The format is INI-like, one section for each service::

    # the section's own name is free, "name" is what ``-s`` means
    [connmon_service_default]
    name: default
    stale_after: 120

    nodes:
        node1 hostname=192.168.1.205:5800
        node2 hostname=192.168.1.206:5800 bind=0.0.0.0:5800
        node3 hostname=192.168.1.207 bind=0.0.0.0 bind=unix:/run/connmon.sock

* A key is followed by ``:`` or ``=`` and is case-insensitive. A line indented further
  than its key continues it; that is how ``nodes`` holds one node on each line.
* ``#`` begins a comment at the start of a line or after whitespace, ``;`` only at the
  start of a line. Blank lines mean nothing, anywhere.
* An address is HOST[:PORT], with IPv6 in brackets, or unix:/PATH. The port is 5800
  when left out, that of a bind the hostname's.
* ``hostname`` is where others reach the node. It listens on each ``bind``; without
  one, on 0.0.0.0, on ``[::]`` for an IPv6 hostname, on the hostname if it is a path.
* ``stale_after`` is how many seconds a node that nobody hears goes on being counted as
  it was last known: 120 when left out, 60 at least, with decimals if need be. Every
  node of a service is given the same.
* ``databases`` holds one database server on each line, for the nodes alone::

      databases:
          db1:3306 max_connections=255 reserved=3

  How many connections it takes, and how many of these it keeps from applications: none
  when left out. Without a port it is whatever port of that host is not given another.
* ``connmon_stacks`` is on or off: whether processes of the service, and its nodes, tell
  where the holders of connections are. On when left out.
* A name is printable text without whitespace. One that begins with a comment's sign,
  or a node's that begins with ``hostname=`` or ``bind=``, cannot be written.
* Sections of ``logging.config.fileConfig`` are passed over; any other section, and an
  unknown key, is a warning; every other mistake is a ``ConfigError``.

The standard library's configparser is not used: it knows no line numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from connmon.address import (
    DEFAULT_PORT,
    Address,
    AnyAddress,
    UnixAddress,
    parse_address,
)
from connmon.errors import ConfigError
from connmon.outline import (
    HOSTNAME_OPTION,
    NODE_FORM,
    Entry,
    Line,
    Place,
    Section,
    header_name,
    read,
)
from connmon.wording import is_word, printable, quoted, shown

__all__ = [
    "BUILTIN",
    "BUILTIN_SOURCE",
    "DEFAULT_PATH",
    "DEFAULT_PORT",
    "DEFAULT_SERVICE",
    "DEFAULT_STALE_AFTER",
    "Address",
    "AnyAddress",
    "Config",
    "Database",
    "Node",
    "Service",
    "UnixAddress",
    "load",
    "parse",
    "parse_address",
]

DEFAULT_PATH = "/etc/connmon.cfg"
DEFAULT_SERVICE = "default"
#: Seconds that what a node told is still counted when nobody hears that node.
DEFAULT_STALE_AFTER = 120.0

BUILTIN = """\
[connmon_service_default]
name: default

nodes:
    node1 hostname=localhost:5800 bind=0.0.0.0
"""
BUILTIN_SOURCE = "the built-in default"

_LONGEST_NAME = 255
_LARGEST_FILE = 1024 * 1024
#: Two heartbeats of a process: less, and what is merely quiet would be dropped.
_LEAST_STALE_AFTER = 60
_MOST_STALE_AFTER = 24 * 60 * 60
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
#: Whitespace around the sign counts only after a key: a path may end with the sign.
_OPTION_KEY = re.compile(r"(?:^|(?<= ))(\w+) ?= ?")
_NAMELESS_NODE = re.compile(r"(hostname|bind)\s*=", re.IGNORECASE)
_INDENTED_KEY = re.compile(
    r"(name|nodes|stale_after|databases|connmon_stacks)\s*[:=]", re.IGNORECASE
)
_SWITCH = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(
    ("0", "false", "no", "off"), False
)
DATABASE_FORM = "HOST[:PORT] max_connections=NUMBER [reserved=NUMBER]"
_NUMBER = re.compile(r"[0-9]{1,9}")


# -- values ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Node:
    """One daemon: the address others use for it, and those it listens on."""

    name: str
    hostname: AnyAddress
    binds: tuple[AnyAddress, ...]


@dataclass(frozen=True, slots=True)
class Database:
    """A database server, ``HOST:PORT`` or any port of ``HOST``, and what it takes.

    Of ``max_connections`` so many are ``reserved``: no application gets them.
    """

    server: str
    max_connections: int
    reserved: int = 0

    @property
    def limit(self) -> int:
        """How many connections applications can have at once."""
        return self.max_connections - self.reserved


@dataclass(frozen=True, slots=True)
class Service:
    """The nodes that share their events under one name; never without a node.

    ``stale_after`` is how many seconds a node that nobody hears goes on being counted,
    ``stacks`` whether it is told where the holders of connections are.
    ``databases`` are the servers whose limits are known.
    """

    name: str
    nodes: tuple[Node, ...]
    stale_after: float = DEFAULT_STALE_AFTER
    stacks: bool = True
    databases: tuple[Database, ...] = ()

    def node(self, name: str | None) -> Node:
        """The node of that name; ``None`` means the only one there is."""
        if name is None and len(self.nodes) == 1:
            return self.nodes[0]
        known = ", ".join(node.name for node in self.nodes)
        service = f"service {quoted(self.name)}"
        if name is None:
            raise ConfigError(
                f"{service} has several nodes, choose one with --node: {known}"
            )
        for node in self.nodes:
            if node.name == name:
                return node
        raise ConfigError(
            f"{service} has no node {quoted(name)}, expected one of: {known}"
        )


@dataclass(frozen=True, slots=True)
class Config:
    """All that one connmon.cfg says, where it was read, and what was odd about it."""

    source: str
    services: tuple[Service, ...]
    warnings: tuple[str, ...]

    def service(self, name: str) -> Service:
        """The service of that name."""
        for service in self.services:
            if service.name == name:
                return service
        known = ", ".join(service.name for service in self.services)
        raise ConfigError(
            f"{printable(self.source)}: no service {quoted(name)}, "
            f"expected one of: {known}"
        )


# -- files ----------------------------------------------------------------------------


def load(path: str | None = None, *, default_path: str = DEFAULT_PATH) -> Config:
    """The config in the file at ``path``, which must then be there and readable.

    Without a path it is the default file's or, when there is no such file, the
    built-in default.
    """
    chosen = default_path if path is None else path
    try:
        content = _content(chosen)
    except FileNotFoundError as error:
        if path is None:
            return parse(BUILTIN, BUILTIN_SOURCE)
        raise _unreadable(chosen, error) from error
    except (OSError, ValueError) as error:
        # ValueError: a path with a NUL, or one that the file system cannot encode.
        raise _unreadable(chosen, error) from error
    return parse(_decoded(content, chosen), chosen)


def _content(path: str) -> bytes:
    """The file's bytes, but never endlessly many (``/dev/zero``)."""
    with open(path, "rb") as file:
        return file.read(_LARGEST_FILE + 1)


def _unreadable(path: str, error: Exception) -> ConfigError:
    """What to say of a file that cannot be read."""
    reason = getattr(error, "strerror", None) or str(error)
    return ConfigError(
        f"cannot read {printable(path) or repr(path)}: {printable(reason)}, "
        "expected a readable connmon.cfg"
    )


def _decoded(content: bytes, path: str) -> str:
    """The text these bytes of the file at ``path`` stand for."""
    if len(content) > _LARGEST_FILE:
        raise ConfigError(
            f"{printable(path)}: larger than {_LARGEST_FILE} bytes, "
            "expected a connmon.cfg"
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{printable(path)}: line {line}: byte 0x{content[error.start]:02x} "
            "is not UTF-8, expected a connmon.cfg in UTF-8"
        ) from error


# -- the text -------------------------------------------------------------------------


def parse(text: str, source: str) -> Config:
    """The config this text says; ``source`` is what messages call it (its path)."""
    outline = read(text, source)
    warnings = outline.warnings
    services = tuple(
        _service(section, warnings) for section in outline.sections.values()
    )
    _check_service_names(list(outline.sections.values()), services)
    return Config(source, services, tuple(warnings))


# -- what the keys mean ---------------------------------------------------------------


def _service(section: Section, warnings: list[str]) -> Service:
    """The service a section describes; what is odd about it goes to ``warnings``."""
    name = _service_name(_required(section, "name", "NAME"), warnings)
    entry = _required(section, "nodes", f"one {NODE_FORM} on each indented line")
    return Service(
        name,
        _nodes(entry, warnings),
        _stale_after(section),
        _stacks(section),
        _databases(section),
    )


def _required(section: Section, key: str, form: str) -> Entry:
    """The entry of a key that must be there, and have a value."""
    entry = _given(section, key, form)
    if entry is None:
        found = ", ".join(shown(other) for other in section.entries) or "none"
        raise section.place.error(
            f"no key {key}, expected {key}: {form} (keys found: {found})"
        )
    return entry


def _given(section: Section, key: str, form: str) -> Entry | None:
    """The entry of a key, if it is there; then it must have a value."""
    entry = section.entries.get(key)
    if entry is not None and not entry.lines:
        raise entry.place.error(f"nothing given, expected {key}: {form}")
    return entry


def _service_name(entry: Entry, warnings: list[str]) -> str:
    """The service's name: a single word on a single line."""
    line = _only_line(entry, "word")
    _check_name(line.text, "service", entry.at(line), warnings)
    return line.text


def _stale_after(section: Section) -> float:
    """For how many seconds a node that nobody hears is counted; or the default."""
    entry = _given(section, "stale_after", "SECONDS")
    if entry is None:
        return DEFAULT_STALE_AFTER
    line = _only_line(entry, "number")
    # A number of many digits is infinity, and that is out of range.
    seconds = float(line.text) if _SECONDS.fullmatch(line.text) else -1.0
    if not _LEAST_STALE_AFTER <= seconds <= _MOST_STALE_AFTER:
        raise entry.at(line).error(
            f"{quoted(line.text)}, expected stale_after: SECONDS, "
            f"a number from {_LEAST_STALE_AFTER} to {_MOST_STALE_AFTER}"
        )
    return seconds


def _stacks(section: Section) -> bool:
    """Whether it is told where the holders of connections are."""
    entry = _given(section, "connmon_stacks", "on or off")
    if entry is None:
        return True
    line = _only_line(entry, "word")
    told = _SWITCH.get(line.text.lower())
    if told is None:
        raise entry.at(line).error(
            f"{quoted(line.text)}, expected connmon_stacks: on or off"
        )
    return told


def _only_line(entry: Entry, form: str) -> Line:
    """The line of a value that has a single one."""
    if len(entry.lines) > 1:
        second = entry.lines[1]
        raise entry.at(second).error(
            f"{quoted(second.text)} is indented, so it continues {entry.place.key}, "
            f"expected one {form}, and each key to begin where the first one does"
        )
    return entry.lines[0]


def _check_service_names(
    sections: list[Section], services: tuple[Service, ...]
) -> None:
    """Two services of one name are a mistake."""
    seen: dict[str, int] = {}
    for section, service in zip(sections, services, strict=True):
        place = section.entries["name"].place
        if service.name in seen:
            raise place.error(
                f"service {quoted(service.name)} was named on line "
                f"{seen[service.name]} already, expected each name once"
            )
        seen[service.name] = place.line


def _nodes(entry: Entry, warnings: list[str]) -> tuple[Node, ...]:
    """The nodes of a service, in the file's order."""
    nodes: list[Node] = []
    seen: dict[str, int] = {}
    for line in entry.lines:
        node = _node(line, entry.at(line), warnings)
        if node.name in seen:
            raise entry.at(line).error(
                f"node {quoted(node.name)} was given on line {seen[node.name]} "
                "already, expected each name once"
            )
        seen[node.name] = line.number
        nodes.append(node)
    return tuple(nodes)


def _node(line: Line, place: Place, warnings: list[str]) -> Node:
    """The node one line describes."""
    _check_node_line(line.text, place)
    name, *words = line.text.split()
    _check_name(name, "node", place, warnings)
    options = _node_options(name, words, place)
    if not options["hostname"]:
        raise place.error(f"node {quoted(name)} has no hostname=, expected {NODE_FORM}")
    hostname = _address(options["hostname"][0], DEFAULT_PORT, place)
    return Node(name, hostname, _binds(name, hostname, options["bind"], place))


def _binds(
    name: str, hostname: AnyAddress, texts: list[str], place: Place
) -> tuple[AnyAddress, ...]:
    """Where a node listens: each address it was given, else all that its host has."""
    if isinstance(hostname, UnixAddress):
        port, default = DEFAULT_PORT, str(hostname)
    else:
        port, default = hostname.port, "[::]" if ":" in hostname.host else "0.0.0.0"
    binds = [_address(text, port, place) for text in texts or [default]]
    for number, each in enumerate(binds):
        if each in binds[:number]:
            raise place.error(
                f"node {quoted(name)} has bind={each} twice, expected each once"
            )
    return tuple(binds)


def _check_node_line(text: str, place: Place) -> None:
    """Name the mistakes that would make a line another kind of line than a node's."""
    if header_name(text):
        raise place.error(
            f"the section header {quoted(text)} is indented, so it is read as a node, "
            "expected it at the start of its line"
        )
    if _INDENTED_KEY.match(text) and not HOSTNAME_OPTION.search(text):
        raise place.error(
            f"{quoted(text)} is indented, so it is read as a node, "
            "expected a key to begin where nodes does"
        )
    if _NAMELESS_NODE.match(text):
        raise place.error(f"{quoted(text)} has no node name, expected {NODE_FORM}")


def _node_options(name: str, words: list[str], place: Place) -> dict[str, list[str]]:
    """The options on a node's line; ``hostname = x`` is as good as ``hostname=x``."""
    options: dict[str, list[str]] = {"hostname": [], "bind": []}
    for word in _OPTION_KEY.sub(r"\1=", " ".join(words)).split():
        key, equals, value = word.partition("=")
        key = key.lower()
        if not equals or key not in options:
            raise place.error(
                f"node {quoted(name)} has an unknown option {quoted(word)}, "
                f"expected {NODE_FORM}, and no whitespace in a name"
            )
        options[key].append(value)
    if len(options["hostname"]) > 1:
        raise place.error(
            f"node {quoted(name)} has hostname= twice, expected {NODE_FORM}, "
            "and one node on each line"
        )
    return options


def _databases(section: Section) -> tuple[Database, ...]:
    """The database servers of a service, in the file's order; none if not given."""
    entry = _given(section, "databases", f"one {DATABASE_FORM} on each indented line")
    if entry is None:
        return ()
    databases: list[Database] = []
    seen: dict[str, int] = {}
    for line in entry.lines:
        database = _database(line.text, entry.at(line))
        if database.server in seen:
            raise entry.at(line).error(
                f"{quoted(database.server)} was given on line "
                f"{seen[database.server]} already, expected each server once"
            )
        seen[database.server] = line.number
        databases.append(database)
    return tuple(databases)


def _database(text: str, place: Place) -> Database:
    """The database server one line describes."""
    server, *words = _OPTION_KEY.sub(r"\1=", text).split()
    numbers: dict[str, int] = {}
    for word in words:
        key, _, value = word.partition("=")
        key = key.lower()
        if key not in ("max_connections", "reserved") or key in numbers:
            raise place.error(f"{quoted(word)}, expected {DATABASE_FORM}, each once")
        if not _NUMBER.fullmatch(value):
            raise place.error(f"{quoted(word)}, expected {key}= and a whole number")
        numbers[key] = int(value)
    if "max_connections" not in numbers:
        raise place.error(f"{quoted(text)}, expected {DATABASE_FORM}")
    database = Database(_server(server, place), **numbers)
    if database.limit < 1:
        raise place.error(
            f"{quoted(text)} leaves no connection to applications, "
            "expected max_connections to be more than reserved"
        )
    return database


def _server(text: str, place: Place) -> str:
    """A server's address as the pools' names have it, the port if it was given."""
    address = _address(text, 0, place)
    if isinstance(address, UnixAddress):
        raise place.error(f"{quoted(text)}, expected {DATABASE_FORM}")
    found = str(replace(address, host=address.host.lower()))
    return found if address.port else found.removesuffix(":0")


def _address(text: str, default_port: int, place: Place) -> AnyAddress:
    """The address, with the place told in its mistakes."""
    try:
        return parse_address(text, default_port)
    except ConfigError as error:
        raise place.error(str(error)) from None


def _check_name(name: str, kind: str, place: Place, warnings: list[str]) -> None:
    """A name is one printable word; punctuation around it is odd, yet part of it."""
    if not is_word(name):
        raise place.error(
            f"{kind} name {quoted(name)} has whitespace or unprintable text, "
            "expected one printable word"
        )
    if len(name) > _LONGEST_NAME:
        raise place.error(
            f"{kind} name {quoted(name)} has {len(name)} characters, "
            f"expected at most {_LONGEST_NAME}"
        )
    if name[0] in "\"'" or name[-1] in "\"':=,;":
        odd = "has punctuation at its end, which is part of it, expected none"
        warnings.append(place.message(f"{kind} name {quoted(name)} {odd}"))
