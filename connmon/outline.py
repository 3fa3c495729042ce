"""The outline of connmon.cfg: from its text to sections of ours, their keys and lines.

Here is what a line can be, and where it stands; ``connmon.config`` has the format as a
whole, and knows what the keys mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from connmon.errors import ConfigError
from connmon.wording import printable, quoted, shown

_PREFIX = "connmon_service_"
_HEADER_FORM = f"[{_PREFIX}NAME]"
_KEYS = ("name", "nodes", "stale_after", "databases", "connmon_stacks")
_KEYS_FORM = "name:, nodes:, stale_after:, databases: or connmon_stacks:"
NODE_FORM = "NODE hostname=ADDRESS [bind=ADDRESS]..., each HOST[:PORT] or unix:/PATH"
HOSTNAME_OPTION = re.compile(r"(^|\s)hostname\s*=", re.IGNORECASE)

_LOGGING_SECTION = re.compile(
    r"loggers|handlers|formatters|(logger|handler|formatter)_.*"
)
_COMMENT = re.compile(r"(^|\s)#.*|^\s*;.*")
_KEY = re.compile(r"([^:=]*)[:=](.*)")


def read(text: str, source: str) -> Outline:
    """The outline of this text, with a section at least; ``source`` is its name."""
    outline = Outline(source)
    for line in _lines(text):
        outline.add(line)
    if not outline.sections:
        found = outline.found()
        raise Place(source).error(f"no section {_HEADER_FORM}{found}")
    return outline


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file something stands, as far as that is known."""

    source: str
    section: str = ""
    line: int = 0
    key: str = ""

    def message(self, text: str) -> str:
        """The text, with the place before it."""
        section = f"[{shown(self.section)}] " if self.section else ""
        line = f"line {self.line}: " if self.line else ""
        key = f"{shown(self.key)}: " if self.key else ""
        return f"{printable(self.source)}: {section}{line}{key}{text}"

    def error(self, text: str) -> ConfigError:
        """A mistake at this place."""
        return ConfigError(self.message(text))


@dataclass(frozen=True, slots=True)
class Line:
    """One line that says something: without its comment and surrounding whitespace."""

    number: int
    indent: int
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a section, with the non-empty lines of its value."""

    place: Place
    indent: int
    lines: list[Line]

    def at(self, line: Line) -> Place:
        """The place of one line of the value."""
        return replace(self.place, line=line.number)


@dataclass(frozen=True, slots=True)
class Section:
    """A section of ours, and its keys in the order they came."""

    place: Place
    entries: dict[str, Entry] = field(default_factory=dict)


def _lines(text: str) -> Iterator[Line]:
    """The lines that are more than whitespace and comment, numbered from 1."""
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for number, raw in enumerate(plain.split("\n"), 1):
        kept = _COMMENT.sub("", raw).expandtabs().rstrip()
        stripped = kept.lstrip()
        if stripped:
            yield Line(number, len(kept) - len(stripped), stripped)


def header_name(text: str) -> str:
    """The name in a section's header, empty if the line is none."""
    name = text[1:-1].strip()
    is_header = text.startswith("[") and text.endswith("]") and "]" not in name
    return name if is_header else ""


class Outline:
    """Sorts lines into the sections of ours and their keys; knows no key's meaning."""

    def __init__(self, source: str) -> None:
        """Begin before the first line of ``source``."""
        self.sections: dict[str, Section] = {}
        self.warnings: list[str] = []
        self._source = source
        self._headers: list[str] = []
        self._section: Section | None = None  # None: before any, or not one of ours
        self._entry: Entry | None = None  # what a line indented further continues

    def found(self) -> str:
        """The sections there were instead of ours, for a message."""
        if not self._headers:
            return ", found no section at all"
        names = ", ".join(f"[{shown(name)}]" for name in self._headers[:5])
        return f", found only {names}"

    def add(self, line: Line) -> None:
        """Take the next line."""
        if self._entry is not None and line.indent > self._entry.indent:
            self._entry.lines.append(line)
        elif line.text.startswith("["):
            self._begin_section(line)
        elif not self._headers:
            raise Place(self._source, line=line.number).error(
                f"{quoted(line.text)} is before any section, expected {_HEADER_FORM}"
            )
        else:
            self._begin_entry(line)

    def _begin_section(self, line: Line) -> None:
        """Take a section's header."""
        name = header_name(line.text)
        if not name:
            raise Place(self._source, line=line.number).error(
                f"bad section header {quoted(line.text)}, expected {_HEADER_FORM}"
            )
        place = Place(self._source, name, line.number)
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

    def _begin_own_section(self, place: Place) -> Section:
        """A new section of ours; the same header twice is a mistake."""
        earlier = self.sections.get(place.section)
        if earlier is not None:
            raise place.error(
                f"the same section began on line {earlier.place.line} already, "
                "expected it once"
            )
        section = self.sections[place.section] = Section(place)
        return section

    def _begin_entry(self, line: Line) -> None:
        """Take a line that begins a key, or, in a section not ours, whatever it is."""
        if self._section is None:
            self._entry = Entry(Place(self._source), line.indent, [])
            return
        entry = _key_at(self._section.place, line)
        key = entry.place.key
        earlier = self._section.entries.get(key)
        if earlier is not None:
            raise entry.place.error(
                f"key was given on line {earlier.place.line} already, expected it once"
            )
        if key not in _KEYS:
            place = replace(entry.place, key="")
            known = f"{', '.join(_KEYS[:-1])} or {_KEYS[-1]}"
            odd = f'unknown key "{shown(key)}", expected {known}'
            self.warnings.append(place.message(odd))
        self._section.entries[key] = entry
        self._entry = entry


def _key_at(section: Place, line: Line) -> Entry:
    """The key, and the part of its value on its own line, that this line begins."""
    place = replace(section, line=line.number)
    match = _KEY.fullmatch(line.text)
    key = match[1].strip().lower() if match else ""
    if match is None or not key:
        raise place.error(f"{quoted(line.text)} is no key, expected {_KEYS_FORM}")
    if len(key.split()) > 1 or (key not in _KEYS and HOSTNAME_OPTION.search(line.text)):
        raise place.error(
            f"{quoted(line.text)} is not indented, expected {_KEYS_FORM}, "
            f"or a node ({NODE_FORM}) indented further than its nodes:"
        )
    value = match[2].strip()
    lines = [Line(line.number, line.indent, value)] if value else []
    return Entry(replace(place, key=key), line.indent, lines)
