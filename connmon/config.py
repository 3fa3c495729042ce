"""connmon.cfg: its text becomes frozen values, its mistakes become one clear line.

The format is INI-like, one section for each service::

    # the section's own name is free, "name" is what ``-s`` means
    [connmon_service_default]
    name: default

    nodes:
        node1 hostname=192.168.1.205:5800
        node2 hostname=192.168.1.206:5800 bind=0.0.0.0:5800

* A key is followed by ``:`` or ``=`` and is case-insensitive. A line indented further
  than its key continues it; that is how ``nodes`` holds one node on each line.
* ``#`` begins a comment at the start of a line or after whitespace, ``;`` only at the
  start of a line. Blank lines mean nothing, anywhere.
* The port is 5800 when left out. ``bind`` is 0.0.0.0 when left out, ``[::]`` for an
  IPv6 hostname; a bind without a port takes the hostname's. IPv6 goes in brackets.
* A name is printable text without whitespace. One that begins with a comment's sign,
  or a node's that begins with ``hostname=`` or ``bind=``, cannot be written.
* Sections of ``logging.config.fileConfig`` are passed over; any other section, and an
  unknown key, is a warning; every other mistake is a ``ConfigError``.

The standard library's configparser is not used: it knows no line numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address

from connmon.errors import ConfigError

DEFAULT_PORT = 5800
DEFAULT_PATH = "/etc/connmon.cfg"
DEFAULT_SERVICE = "default"

BUILTIN = """\
[connmon_service_default]
name: default

nodes:
    node1 hostname=localhost:5800 bind=0.0.0.0
"""
BUILTIN_SOURCE = "the built-in default"

_LONGEST_NAME = 255
_LARGEST_FILE = 1024 * 1024
_PREFIX = "connmon_service_"
_HEADER_FORM = f"[{_PREFIX}NAME]"
_NODE_FORM = "NODE hostname=HOST[:PORT] [bind=HOST[:PORT]]"
_LOGGING_SECTION = re.compile(
    r"loggers|handlers|formatters|(logger|handler|formatter)_.*"
)
_COMMENT = re.compile(r"(^|\s)#.*|^\s*;.*")
_KEY = re.compile(r"([^:=]*)[:=](.*)")
_HOSTNAME_OPTION = re.compile(r"(^|\s)hostname\s*=", re.IGNORECASE)
_NAMELESS_NODE = re.compile(r"(hostname|bind)\s*=", re.IGNORECASE)
_INDENTED_KEY = re.compile(r"(name|nodes)\s*[:=]", re.IGNORECASE)


# -- values ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node is reached, or listens: a host, without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """HOST:PORT, with an IPv6 host in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Node:
    """One daemon: the address others use for it, and the one it listens on."""

    name: str
    hostname: Address
    bind: Address


@dataclass(frozen=True, slots=True)
class Service:
    """The nodes that share their events under one name; never without a node."""

    name: str
    nodes: tuple[Node, ...]

    def node(self, name: str | None) -> Node:
        """The node of that name; ``None`` means the only one there is."""
        if name is None and len(self.nodes) == 1:
            return self.nodes[0]
        known = ", ".join(node.name for node in self.nodes)
        service = f"service {_quoted(self.name)}"
        if name is None:
            raise ConfigError(
                f"{service} has several nodes, choose one with --node: {known}"
            )
        for node in self.nodes:
            if node.name == name:
                return node
        raise ConfigError(
            f"{service} has no node {_quoted(name)}, expected one of: {known}"
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
            f"{_printable(self.source)}: no service {_quoted(name)}, "
            f"expected one of: {known}"
        )


# -- addresses ------------------------------------------------------------------------


def parse_address(
    text: str, default_port: int = DEFAULT_PORT, *, allow_zero: bool = False
) -> Address:
    """The address written as HOST, HOST:PORT, [IPv6] or [IPv6]:PORT.

    Port 0 ("any free one") is taken only with ``allow_zero``. A ``ConfigError`` has
    the mistake and what was expected, but not where: that is the caller's to add.
    """
    if not text:
        raise ConfigError("empty address, expected HOST[:PORT]")
    if not _is_word(text):
        raise ConfigError(
            f"whitespace or unprintable text in {_quoted(text)}, expected HOST[:PORT]"
        )
    split = _split_bracketed if text.startswith("[") else _split_plain
    host, port = split(text)
    if port is None:
        return Address(host, default_port)
    return Address(host, _port(port, text, lowest=0 if allow_zero else 1))


def _split_bracketed(text: str) -> tuple[str, str | None]:
    """Host and port, if any, of an address that begins with a bracket."""
    host, bracket, rest = text[1:].partition("]")
    if not bracket or (rest and not rest.startswith(":")):
        raise ConfigError(f"bad brackets in {_quoted(text)}, expected [IPv6][:PORT]")
    if not _accepts(IPv6Address, host):
        raise ConfigError(
            f"bad IPv6 address {_quoted(host)} in {_quoted(text)}, "
            "expected [IPv6][:PORT], or no brackets around another host"
        )
    return host, rest[1:] if rest else None


def _split_plain(text: str) -> tuple[str, str | None]:
    """Host and port, if any, of an address without brackets."""
    if text.count(":") > 1:
        raise ConfigError(_too_many_colons(text))
    host, colon, port = text.partition(":")
    if not host:
        raise ConfigError(f"no host in {_quoted(text)}, expected HOST[:PORT]")
    if not _is_host(host):
        raise ConfigError(
            f"bad host {_quoted(host)} in {_quoted(text)}, "
            "expected HOST[:PORT] with a hostname or an IP address"
        )
    return host, port if colon else None


def _too_many_colons(text: str) -> str:
    """What to say of several colons: most often it is IPv6 without its brackets."""
    if _accepts(IPv6Address, text):
        return (
            f"{_quoted(text)} is an IPv6 address without brackets, "
            f"expected [{_shown(text)}] or [IPv6]:PORT"
        )
    return (
        f"too many colons in {_quoted(text)}, "
        "expected HOST[:PORT], or [IPv6][:PORT] with the brackets"
    )


def _port(text: str, address: str, lowest: int) -> int:
    """The port ``text`` stands for."""
    # Only ASCII digits, and few: int() also takes "+1", "1_0" and other scripts'.
    if text.isascii() and text.isdigit() and len(text) <= 5:
        port = int(text)
        if lowest <= port <= 65535:
            return port
    raise ConfigError(
        f"bad port {_quoted(text)} in {_quoted(address)}, "
        f"expected HOST[:PORT] with a port from {lowest} to 65535"
    )


def _is_host(text: str) -> bool:
    """Whether this can be a hostname or an IPv4 address."""
    if len(text) > _LONGEST_NAME:
        return False
    if all(letter in "0123456789." for letter in text):
        # Resolvers also take "5800" or "10.1"; here that is a slip.
        return _accepts(IPv4Address, text)
    if not all(letter.isalnum() or letter in "-._" for letter in text):
        return False
    # What a resolver does first; it refuses an empty or overlong label.
    return _accepts(lambda host: host.encode("idna"), text)


def _accepts(reader: Callable[[str], object], text: str) -> bool:
    """Whether ``reader`` takes this text without a ``ValueError`` or a child of it."""
    try:
        reader(text)
    except ValueError:
        return False
    return True


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
        f"cannot read {_printable(path) or repr(path)}: {_printable(reason)}, "
        "expected a readable connmon.cfg"
    )


def _decoded(content: bytes, path: str) -> str:
    """The text these bytes of the file at ``path`` stand for."""
    if len(content) > _LARGEST_FILE:
        raise ConfigError(
            f"{_printable(path)}: larger than {_LARGEST_FILE} bytes, "
            "expected a connmon.cfg"
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{_printable(path)}: line {line}: byte 0x{content[error.start]:02x} "
            "is not UTF-8, expected a connmon.cfg in UTF-8"
        ) from error


# -- the text -------------------------------------------------------------------------


def parse(text: str, source: str) -> Config:
    """The config this text says; ``source`` is what messages call it (its path)."""
    outline = _Outline(source)
    for line in _lines(text):
        outline.add(line)
    if not outline.sections:
        raise _Place(source).error(f"no section {_HEADER_FORM}{outline.found()}")
    warnings = outline.warnings
    services = tuple(
        _service(section, warnings) for section in outline.sections.values()
    )
    _check_service_names(list(outline.sections.values()), services)
    return Config(source, services, tuple(warnings))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in which file something stands, as far as that is known."""

    source: str
    section: str = ""
    line: int = 0
    key: str = ""

    def message(self, text: str) -> str:
        """The text, with the place before it."""
        section = f"[{_shown(self.section)}] " if self.section else ""
        line = f"line {self.line}: " if self.line else ""
        key = f"{_shown(self.key)}: " if self.key else ""
        return f"{_printable(self.source)}: {section}{line}{key}{text}"

    def error(self, text: str) -> ConfigError:
        """A mistake at this place."""
        return ConfigError(self.message(text))


@dataclass(frozen=True, slots=True)
class _Line:
    """One line that says something: without its comment and surrounding whitespace."""

    number: int
    indent: int
    text: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key of a section, with the non-empty lines of its value."""

    place: _Place
    indent: int
    lines: list[_Line]

    def at(self, line: _Line) -> _Place:
        """The place of one line of the value."""
        return replace(self.place, line=line.number)


@dataclass(frozen=True, slots=True)
class _Section:
    """A section of ours, and its keys in the order they came."""

    place: _Place
    entries: dict[str, _Entry] = field(default_factory=dict)


def _lines(text: str) -> Iterator[_Line]:
    """The lines that are more than whitespace and comment, numbered from 1."""
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for number, raw in enumerate(plain.split("\n"), 1):
        kept = _COMMENT.sub("", raw).expandtabs().rstrip()
        stripped = kept.lstrip()
        if stripped:
            yield _Line(number, len(kept) - len(stripped), stripped)


def _header_name(text: str) -> str:
    """The name in a section's header, empty if the line is none."""
    name = text[1:-1].strip()
    is_header = text.startswith("[") and text.endswith("]") and "]" not in name
    return name if is_header else ""


class _Outline:
    """Sorts lines into the sections of ours and their keys; knows no key's meaning."""

    def __init__(self, source: str) -> None:
        """Begin before the first line of ``source``."""
        self.sections: dict[str, _Section] = {}
        self.warnings: list[str] = []
        self._source = source
        self._headers: list[str] = []
        self._section: _Section | None = None  # None: before any, or not one of ours
        self._entry: _Entry | None = None  # what a line indented further continues

    def found(self) -> str:
        """The sections there were instead of ours, for a message."""
        if not self._headers:
            return ", found no section at all"
        shown = ", ".join(f"[{_shown(name)}]" for name in self._headers[:5])
        return f", found only {shown}"

    def add(self, line: _Line) -> None:
        """Take the next line."""
        if self._entry is not None and line.indent > self._entry.indent:
            self._entry.lines.append(line)
        elif line.text.startswith("["):
            self._begin_section(line)
        elif not self._headers:
            raise _Place(self._source, line=line.number).error(
                f"{_quoted(line.text)} is before any section, expected {_HEADER_FORM}"
            )
        else:
            self._begin_entry(line)

    def _begin_section(self, line: _Line) -> None:
        """Take a section's header."""
        name = _header_name(line.text)
        if not name:
            raise _Place(self._source, line=line.number).error(
                f"bad section header {_quoted(line.text)}, expected {_HEADER_FORM}"
            )
        place = _Place(self._source, name, line.number)
        self._headers.append(name)
        self._entry = None
        if name.startswith(_PREFIX) and name != _PREFIX:
            self._section = self._begin_own_section(place)
        else:
            self._section = None
            if not _LOGGING_SECTION.fullmatch(name):
                self.warnings.append(
                    place.message(f"unknown section, expected {_HEADER_FORM}")
                )

    def _begin_own_section(self, place: _Place) -> _Section:
        """A new section of ours; the same header twice is a mistake."""
        earlier = self.sections.get(place.section)
        if earlier is not None:
            raise place.error(
                f"the same section began on line {earlier.place.line} already, "
                "expected it once"
            )
        section = self.sections[place.section] = _Section(place)
        return section

    def _begin_entry(self, line: _Line) -> None:
        """Take a line that begins a key, or, in a section not ours, whatever it is."""
        if self._section is None:
            self._entry = _Entry(_Place(self._source), line.indent, [])
            return
        entry = _entry(self._section.place, line)
        key = entry.place.key
        earlier = self._section.entries.get(key)
        if earlier is not None:
            raise entry.place.error(
                f"key was given on line {earlier.place.line} already, expected it once"
            )
        if key not in ("name", "nodes"):
            place = replace(entry.place, key="")
            odd = f'unknown key "{_shown(key)}", expected name or nodes'
            self.warnings.append(place.message(odd))
        self._section.entries[key] = entry
        self._entry = entry


def _entry(section: _Place, line: _Line) -> _Entry:
    """The key, and the part of its value on its own line, that this line begins."""
    place = replace(section, line=line.number)
    match = _KEY.fullmatch(line.text)
    key = match[1].strip().lower() if match else ""
    if match is None or not key:
        raise place.error(f"{_quoted(line.text)} is no key, expected name: or nodes:")
    if len(key.split()) > 1 or (
        key not in ("name", "nodes") and _HOSTNAME_OPTION.search(line.text)
    ):
        raise place.error(
            f"{_quoted(line.text)} is not indented, expected name: or nodes:, "
            f"or a node ({_NODE_FORM}) indented further than its nodes:"
        )
    value = match[2].strip()
    lines = [_Line(line.number, line.indent, value)] if value else []
    return _Entry(replace(place, key=key), line.indent, lines)


# -- what the keys mean ---------------------------------------------------------------


def _service(section: _Section, warnings: list[str]) -> Service:
    """The service a section describes; what is odd about it goes to ``warnings``."""
    name = _service_name(_required(section, "name", "NAME"), warnings)
    entry = _required(section, "nodes", f"one {_NODE_FORM} on each indented line")
    return Service(name, _nodes(entry, warnings))


def _required(section: _Section, key: str, form: str) -> _Entry:
    """The entry of a key that must be there, and have a value."""
    entry = section.entries.get(key)
    if entry is None:
        found = ", ".join(_shown(other) for other in section.entries) or "none"
        raise section.place.error(
            f"no key {key}, expected {key}: {form} (keys found: {found})"
        )
    if not entry.lines:
        raise entry.place.error(f"nothing given, expected {key}: {form}")
    return entry


def _service_name(entry: _Entry, warnings: list[str]) -> str:
    """The service's name: a single word on a single line."""
    first = entry.lines[0]
    if len(entry.lines) > 1:
        second = entry.lines[1]
        raise entry.at(second).error(
            f"{_quoted(second.text)} is indented, so it continues name, "
            "expected one word, and each key to begin where the first one does"
        )
    _check_name(first.text, "service", entry.at(first), warnings)
    return first.text


def _check_service_names(
    sections: list[_Section], services: tuple[Service, ...]
) -> None:
    """Two services of one name are a mistake."""
    seen: dict[str, int] = {}
    for section, service in zip(sections, services, strict=True):
        place = section.entries["name"].place
        if service.name in seen:
            raise place.error(
                f"service {_quoted(service.name)} was named on line "
                f"{seen[service.name]} already, expected each name once"
            )
        seen[service.name] = place.line


def _nodes(entry: _Entry, warnings: list[str]) -> tuple[Node, ...]:
    """The nodes of a service, in the file's order."""
    nodes: list[Node] = []
    seen: dict[str, int] = {}
    for line in entry.lines:
        node = _node(line, entry.at(line), warnings)
        if node.name in seen:
            raise entry.at(line).error(
                f"node {_quoted(node.name)} was given on line {seen[node.name]} "
                "already, expected each name once"
            )
        seen[node.name] = line.number
        nodes.append(node)
    return tuple(nodes)


def _node(line: _Line, place: _Place, warnings: list[str]) -> Node:
    """The node one line describes."""
    _check_node_line(line.text, place)
    name, *words = line.text.split()
    _check_name(name, "node", place, warnings)
    options = _node_options(name, words, place)
    if "hostname" not in options:
        raise place.error(
            f"node {_quoted(name)} has no hostname=, expected {_NODE_FORM}"
        )
    hostname = _address(options["hostname"], DEFAULT_PORT, place)
    everywhere = "[::]" if ":" in hostname.host else "0.0.0.0"
    bind = _address(options.get("bind", everywhere), hostname.port, place)
    return Node(name, hostname, bind)


def _check_node_line(text: str, place: _Place) -> None:
    """Name the mistakes that would make a line another kind of line than a node's."""
    if _header_name(text):
        raise place.error(
            f"the section header {_quoted(text)} is indented, so it is read as a node, "
            "expected it at the start of its line"
        )
    if _INDENTED_KEY.match(text) and not _HOSTNAME_OPTION.search(text):
        raise place.error(
            f"{_quoted(text)} is indented, so it is read as a node, "
            "expected a key to begin where nodes does"
        )
    if _NAMELESS_NODE.match(text):
        raise place.error(f"{_quoted(text)} has no node name, expected {_NODE_FORM}")


def _node_options(name: str, words: list[str], place: _Place) -> dict[str, str]:
    """The options on a node's line; ``hostname = x`` is as good as ``hostname=x``."""
    options: dict[str, str] = {}
    for word in re.sub(r" ?= ?", "=", " ".join(words)).split():
        key, equals, value = word.partition("=")
        key = key.lower()
        if not equals or key not in ("hostname", "bind"):
            raise place.error(
                f"node {_quoted(name)} has an unknown option {_quoted(word)}, "
                f"expected {_NODE_FORM}, and no whitespace in a name"
            )
        if key in options:
            raise place.error(
                f"node {_quoted(name)} has {key}= twice, expected {_NODE_FORM}, "
                "and one node on each line"
            )
        options[key] = value
    return options


def _address(text: str, default_port: int, place: _Place) -> Address:
    """The address, with the place told in its mistakes."""
    try:
        return parse_address(text, default_port)
    except ConfigError as error:
        raise place.error(str(error)) from None


def _check_name(name: str, kind: str, place: _Place, warnings: list[str]) -> None:
    """A name is one printable word; punctuation around it is odd, yet part of it."""
    if not _is_word(name):
        raise place.error(
            f"{kind} name {_quoted(name)} has whitespace or unprintable text, "
            "expected one printable word"
        )
    if len(name) > _LONGEST_NAME:
        raise place.error(
            f"{kind} name {_quoted(name)} has {len(name)} characters, "
            f"expected at most {_LONGEST_NAME}"
        )
    if name[0] in "\"'" or name[-1] in "\"':=,;":
        odd = "has punctuation at its end, which is part of it, expected none"
        warnings.append(place.message(f"{kind} name {_quoted(name)} {odd}"))


# -- messages -------------------------------------------------------------------------


def _is_word(text: str) -> bool:
    """Whether text is printable and has no whitespace."""
    return text.isprintable() and " " not in text


def _printable(text: str) -> str:
    """Text made fit for one line, and harmless to a terminal."""
    return text if text.isprintable() else repr(text)[1:-1]


def _cut(text: str) -> str:
    """Text no longer than a message can bear."""
    return text if len(text) <= 60 else text[:57] + "..."


def _shown(text: str) -> str:
    """Text as a message shows it bare."""
    return _printable(_cut(text))


def _quoted(text: str) -> str:
    """Text as a message quotes it."""
    return repr(_cut(text))
