"""What was typed: bytes into key names, and the one table of what each key does.

A key is named by what is printed on it: ``q``, ``Up``, ``PgDn``, ``F10``, ``Esc``, with
``Shift-``, ``Alt-`` or ``Ctrl-`` before it where a terminal tells; a control character
is ``^L``. Unknown sequences and answers to questions nobody asked are dropped whole, so
that no piece of them is ever taken for a key. Pasted text is one key, ``Paste`` with
the text after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto


class Action(Enum):
    """What the viewer can ask for."""

    QUIT = auto()
    HELP = auto()
    UP = auto()
    DOWN = auto()
    PAGE_UP = auto()
    PAGE_DOWN = auto()
    TOP = auto()
    BOTTOM = auto()
    OPEN = auto()
    BACK = auto()
    PROGRAMS = auto()
    HOSTS = auto()
    CHECKOUTS = auto()
    NODES = auto()
    EVENTS = auto()
    PROCESSES = auto()
    POOLS = auto()
    CONNECTIONS = auto()
    TIMEOUTS = auto()
    SITES = auto()
    GROUP = auto()
    SERVERS = auto()
    SHARES = auto()
    ADVICE = auto()
    NEXT_VIEW = auto()
    PREVIOUS_VIEW = auto()
    TREE = auto()
    COLUMNS = auto()
    SORT_LEFT = auto()
    SORT_RIGHT = auto()
    REVERSE = auto()
    SORT_MENU = auto()
    SORT_NAME = auto()
    SORT_CONN = auto()
    SORT_CKOUT = auto()
    SORT_WAIT = auto()
    SORT_AGE = auto()
    SORT_RATE = auto()
    SORT_POOL = auto()
    ALERTS_FIRST = auto()
    SEARCH = auto()
    SEARCH_ON = auto()
    FILTER = auto()
    NEXT_ALERT = auto()
    RESET = auto()
    PAUSE = auto()
    SLOWER = auto()
    FASTER = auto()
    DELAY = auto()
    BUSY = auto()
    UNITS = auto()
    NAMES = auto()
    THEME = auto()
    STACK = auto()
    LOG = auto()
    SAVE = auto()
    KEEP = auto()
    REDRAW = auto()
    STEP_BACK = auto()
    STEP_ON = auto()
    SLOW_MOTION = auto()
    FAST_MOTION = auto()
    JUMP = auto()


@dataclass(frozen=True)
class Binding:
    """The keys of one action, and what it does in words.

    ``word`` is for the footer, after the first of the keys; an empty one stays out of
    it. ``replay`` says that it is only for recordings.
    """

    action: Action
    keys: tuple[str, ...]
    meaning: str
    word: str = ""
    replay: bool = False


# ^C arrives as a key only if the terminal does not make a signal of it.
SECTIONS = (
    (
        "MOVE",
        (
            Binding(Action.UP, ("Up", "k"), "one row up"),
            Binding(Action.DOWN, ("Down", "j"), "one row down"),
            Binding(Action.PAGE_UP, ("PgUp", "^B"), "one page up"),
            Binding(Action.PAGE_DOWN, ("PgDn", "^F"), "one page down"),
            Binding(Action.TOP, ("Home", "g"), "the first row"),
            Binding(Action.BOTTOM, ("End", "G"), "the last row"),
            Binding(Action.OPEN, ("Enter", "Right"), "open it", "Open"),
            Binding(
                Action.BACK, ("Esc", "Left", "Backspace"), "back, or drop the filter"
            ),
        ),
    ),
    (
        "VIEWS",
        (
            Binding(Action.PROGRAMS, ("1",), "programs"),
            Binding(Action.HOSTS, ("2",), "hosts"),
            Binding(Action.CHECKOUTS, ("3",), "checkouts by age"),
            Binding(Action.NODES, ("4",), "nodes of the service"),
            Binding(Action.EVENTS, ("5",), "events, newest first"),
            Binding(Action.PROCESSES, ("6",), "processes"),
            Binding(Action.POOLS, ("7",), "pools"),
            Binding(Action.CONNECTIONS, ("8",), "connections"),
            Binding(Action.TIMEOUTS, ("9",), "timeouts"),
            Binding(Action.SITES, ("0",), "call sites"),
            Binding(Action.GROUP, ("b",), "by call site, tag"),
            Binding(Action.SERVERS, ("D",), "database servers"),
            Binding(Action.SHARES, ("P",), "programs by server"),
            Binding(Action.ADVICE, ("V",), "advice"),
            Binding(Action.NEXT_VIEW, ("Tab",), "next view"),
            Binding(Action.PREVIOUS_VIEW, ("Shift-Tab",), "view before"),
            Binding(Action.TREE, ("F5", "t"), "programs by host", "Tree"),
            Binding(Action.COLUMNS, ("m",), "next set of columns", "Columns"),
        ),
    ),
    (
        "SORT",
        (
            Binding(Action.SORT_LEFT, ("<",), "column to the left"),
            Binding(Action.SORT_RIGHT, (">",), "column to the right"),
            Binding(Action.REVERSE, ("R", "I"), "other way round"),
            Binding(Action.SORT_MENU, ("F6",), "choose a column", "Sort"),
            Binding(Action.SORT_NAME, ("n",), "by name"),
            Binding(Action.SORT_CONN, ("c",), "by connections"),
            Binding(Action.SORT_CKOUT, ("o",), "by checkouts"),
            Binding(Action.SORT_WAIT, ("w",), "by how many wait"),
            Binding(Action.SORT_AGE, ("a",), "by oldest checkout"),
            Binding(Action.SORT_RATE, ("r",), "by checkout rate"),
            Binding(Action.SORT_POOL, ("p",), "by fullest pool"),
            Binding(Action.ALERTS_FIRST, ("A",), "alerts on top or not"),
        ),
    ),
    (
        "FIND",
        (
            Binding(Action.SEARCH, ("/", "F3"), "search for a text", "Search"),
            Binding(Action.SEARCH_ON, ("&",), "next row found"),
            Binding(Action.FILTER, ("\\", "F4"), "filter the rows", "Filter"),
            Binding(Action.NEXT_ALERT, ("!",), "to the next alert"),
            Binding(Action.RESET, ("=",), "no filter, own order"),
        ),
    ),
    (
        "SHOW",
        (
            Binding(Action.PAUSE, (" ",), "pause, or go on", "Pause"),
            Binding(Action.SLOWER, ("+",), "update less often"),
            Binding(Action.FASTER, ("-",), "update more often"),
            Binding(Action.DELAY, ("d",), "time between updates"),
            Binding(Action.BUSY, ("i",), "hide idle, or not"),
            Binding(Action.UNITS, ("u",), "plain seconds or not"),
            Binding(Action.NAMES, ("H",), "short host names"),
            Binding(Action.THEME, ("T",), "another theme"),
            Binding(Action.STACK, ("s",), "where its holder is"),
            Binding(Action.LOG, ("L",), "log of this console"),
            Binding(Action.SAVE, ("S",), "save screen as text"),
            Binding(Action.KEEP, ("W",), "keep these choices"),
            Binding(Action.REDRAW, ("^L",), "draw afresh"),
        ),
    ),
    (
        "REPLAY",
        (
            Binding(Action.STEP_BACK, (",",), "one picture back", "", True),
            Binding(Action.STEP_ON, (".",), "one picture on", "Step", True),
            Binding(Action.SLOW_MOTION, ("[",), "half as fast", "", True),
            Binding(Action.FAST_MOTION, ("]",), "twice as fast", "Faster", True),
            Binding(Action.JUMP, ("J",), "to a time", "Jump", True),
        ),
    ),
    (
        "HELP",
        (
            Binding(Action.HELP, ("F1", "?", "h"), "these keys", "Help"),
            Binding(Action.QUIT, ("q", "Q", "F10", "^C"), "leave", "Quit"),
        ),
    ),
)

_FOOTER = (
    Action.HELP,
    Action.STEP_ON,
    Action.FAST_MOTION,
    Action.JUMP,
    Action.SEARCH,
    Action.FILTER,
    Action.TREE,
    Action.SORT_MENU,
    Action.OPEN,
    Action.PAUSE,
    Action.COLUMNS,
    Action.QUIT,
)
"""What is worth its place in the footer, the most useful first."""

_BINDINGS = {each.action: each for _, bindings in SECTIONS for each in bindings}
_ACTIONS = {key: each for each in _BINDINGS.values() for key in each.keys}


def action(key: str, replay: bool = False) -> Action | None:
    """Return what ``key`` asks for, or ``None``."""
    found = _ACTIONS.get(key)
    return found.action if found and (replay or not found.replay) else None


def footer(replay: bool = False) -> tuple[tuple[str, str], ...]:
    """Return pairs of a key and a word, the most useful first."""
    return tuple(
        (_named_key(each.keys[0]), each.word)
        for each in map(_BINDINGS.__getitem__, _FOOTER)
        if replay or not each.replay
    )


def help_sections(
    replay: bool = False,
) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Return sections, each a title and pairs of keys and what they do."""
    sections = [
        (
            title,
            tuple(
                (" ".join(map(_named_key, each.keys)), each.meaning)
                for each in bindings
                if replay or not each.replay
            ),
        )
        for title, bindings in SECTIONS
    ]
    return tuple((title, keys) for title, keys in sections if keys)


def _named_key(key: str) -> str:
    return {" ": "Spc"}.get(key, key)


PASTE = "Paste "
"""What the key name of pasted text begins with; the text follows."""

PASTE_LIMIT = 1024
"""The most bytes of a paste that are kept."""

_FINALS = {
    "A": "Up",
    "B": "Down",
    "C": "Right",
    "D": "Left",
    "F": "End",
    "H": "Home",
    "P": "F1",
    "Q": "F2",
    "R": "F3",
    "S": "F4",
    "M": "Enter",
}
_NUMBERS = {
    "1": "Home",
    "2": "Insert",
    "3": "Delete",
    "4": "End",
    "5": "PgUp",
    "6": "PgDn",
    "7": "Home",
    "8": "End",
    **{str(10 + number): f"F{number}" for number in range(1, 6)},
    **{str(11 + number): f"F{number}" for number in range(6, 11)},
    "23": "F11",
    "24": "F12",
}
_CONTROLS = {8: "Backspace", 9: "Tab", 10: "Enter", 13: "Enter", 127: "Backspace"}

_CSI = re.compile(rb"\x1b\[(?:\[(?P<linux>[@-~])|([0-?]*)([ -/]*)([@-Z\\-~]))")
_CSI_BEGUN = re.compile(rb"\x1b\[(?:\[|[0-?]*[ -/]*)")
_SS3 = re.compile(rb"\x1bO(?:1;)?([2-9]?)([A-Z])")
_SS3_BEGUN = re.compile(rb"\x1bO(?:1;?)?[2-9]?")
_STRING_BEGINS = tuple(b"\x1b" + bytes([kind]) for kind in b"]P^_X")
_STRING_END = re.compile(rb"\x07|\x1b\\")
_PASTE_END = re.compile(rb"\x1b\[201~")
_ESC = b"\x1b"


class Keyboard:
    """Turns the bytes of a terminal into key names, however they are split.

    ``waiting`` says that the bytes so far end inside something. The caller then calls
    ``timeout`` if no more come within 50 ms: only that tells the Esc key from the
    beginning of a sequence.
    """

    def __init__(self) -> None:
        """Begin between two keys."""
        self._pending = b""
        self._pasted = b""
        self._skip_to: re.Pattern[bytes] | None = None

    @property
    def waiting(self) -> bool:
        """Whether the next pause settles what the last bytes mean."""
        if self._skip_to is None:
            return bool(self._pending)
        return self._skip_to is not _PASTE_END

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that ``data`` completes."""
        self._pending += data
        keys: list[str] = []
        while self._pending and self._step(keys):
            pass
        return keys

    def timeout(self) -> list[str]:
        """Settle a pause: a lone Esc is a key, any other beginning is dropped.

        A paste is not ended by a pause, as its end is always marked.
        """
        if not self.waiting:
            return []
        lone = self._skip_to is None and self._pending == _ESC
        self._pending = b""
        self._skip_to = None
        return ["Esc"] if lone else []

    def _step(self, keys: list[str]) -> bool:
        """Take one thing off the front; false if it is not all there yet."""
        if self._skip_to is not None:
            return self._skip(self._skip_to, keys)
        if self._pending[:1] == _ESC:
            return self._escape(keys)
        if self._pending[0] >= 0x80:
            return self._character(keys, "")
        self._take(1, keys, _named(self._pending[0]))
        return True

    def _take(self, count: int, keys: list[str], key: str | None = None) -> None:
        self._pending = self._pending[count:]
        if key is not None:
            keys.append(key)

    def _skip(self, end: re.Pattern[bytes], keys: list[str]) -> bool:
        found = end.search(self._pending)
        paste = end is _PASTE_END
        if found is None:
            if paste:
                self._pasted = (self._pasted + self._pending[:-5])[:PASTE_LIMIT]
            self._pending = self._pending[-5:]  # perhaps the beginning of the end
            return False
        if paste:
            pasted = (self._pasted + self._pending[: found.start()])[:PASTE_LIMIT]
            self._pasted = b""
            keys.append(PASTE + pasted.decode("utf-8", "ignore"))
        self._pending = self._pending[found.end() :]
        self._skip_to = None
        return True

    def _escape(self, keys: list[str]) -> bool:
        second = self._pending[1:2]
        if second == b"":
            return False
        if second == _ESC:
            self._take(1, keys, "Esc")
        elif second == b"[":
            return self._sequence(keys, _CSI, _CSI_BEGUN)
        elif second == b"O":
            return self._sequence(keys, _SS3, _SS3_BEGUN)
        elif self._pending[:2] in _STRING_BEGINS:
            self._skip_to = _STRING_END
            self._take(2, keys)
        elif second >= b"\x80":
            return self._character(keys, "Alt-")
        else:
            self._take(2, keys, "Alt-" + _named(second[0]))
        return True

    def _sequence(
        self, keys: list[str], whole: re.Pattern[bytes], begun: re.Pattern[bytes]
    ) -> bool:
        found = whole.match(self._pending)
        if found is None:
            beginning = begun.match(self._pending)
            assert beginning is not None
            if beginning.end() == len(self._pending):
                return False
            self._take(beginning.end(), keys)  # cut off by what follows
            return True
        if found[0] == b"\x1b[200~":
            self._skip_to = _PASTE_END
        key = _csi_key(found) if whole is _CSI else _ss3_key(found)
        self._take(found.end(), keys, key)
        return True

    def _character(self, keys: list[str], prefix: str) -> bool:
        """Assemble one character of UTF-8; bytes that are none are dropped singly."""
        start = len(_ESC) if prefix else 0
        lead = self._pending[start]
        size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        data = self._pending[start : start + size]
        short = len(data) < size
        if short and 0xC2 <= lead <= 0xF4 and all(b & 0xC0 == 0x80 for b in data[1:]):
            return False
        try:
            char = data.decode("utf-8")
        except UnicodeDecodeError:
            self._take(start + 1, keys)
            return True
        self._take(start + size, keys, prefix + char if char.isprintable() else None)
        return True


def _named(byte: int) -> str:
    if byte in _CONTROLS:
        return _CONTROLS[byte]
    return chr(byte) if byte >= 32 else "^" + chr(byte + 64)


def _csi_key(found: re.Match[bytes]) -> str | None:
    if found["linux"] is not None:  # the Linux console's F1 to F5
        number = found["linux"][0] - ord("A") + 1
        return f"F{number}" if 1 <= number <= 5 else None
    if found[3]:
        return None
    first, _, modifier = found[2].decode("ascii").partition(";")
    final = found[4].decode("ascii")
    if final == "~":
        return _modified(_NUMBERS.get(first), modifier)
    if final == "Z" and first == "":
        return "Shift-Tab"
    if final == "M" or first not in ("", "1") or (first and not modifier):
        return None
    return _modified(_FINALS.get(final), modifier)


def _ss3_key(found: re.Match[bytes]) -> str | None:
    return _modified(_FINALS.get(found[2].decode("ascii")), found[1].decode("ascii"))


def _modified(key: str | None, modifier: str) -> str | None:
    """Put the modifiers, which terminals send as 1 plus a set of bits, before a key."""
    if key is None or not modifier:
        return key
    if not re.fullmatch("[2-8]", modifier):
        return None
    bits = int(modifier) - 1
    names = [n for bit, n in enumerate(("Shift-", "Alt-", "Ctrl-")) if bits >> bit & 1]
    return "".join(names) + key
