"""What a console costs: CPU, memory and bytes of it, and how soon it answers a key.

The node is a real one. Very many programs are linked to it, all from one process (see
``benchmarks.inside.crowd``), and the console draws on a real pseudo-terminal.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import results
from benchmarks.process import Failed, Node, Worker
from benchmarks.results import Target
from benchmarks.terminal import (
    COMMAND,
    Console,
    Picture,
    Relay,
    Seen,
    environment,
    peak,
    spent,
)

PROGRAMS = 10_000

NAMES = (
    *("cinder-api", "glance-api", "heat-engine", "keystone-wsgi-public"),
    *("neutron-server", "nova-api", "nova-conductor", "nova-scheduler"),
    *("placement-api", "swift-proxy"),
)
"""The programs that are on each host."""

SIZES = (2, 3, 4, 5, 6, 7, 8)
"""Connections of a program."""

LEAKY = 50
"""One in so many programs never gives one of its connections back."""

PERIOD = 20.0
"""Seconds between two changes of a program: a twentieth changes in each second."""

JOINED = 200
"""Programs that begin in a second, or have more connections out."""

PATIENCE = 120.0
"""Seconds after which they should have."""

DELAY = 1.0
"""Seconds between two updates of the console."""

OUT = 10
"""Connections of each program that are out where very many are."""

PAGE = 33
"""Rows on the screen, for those who ask for what it would."""

LOOKED = 0.1
"""Seconds between two frames that such a one asks for; it gets fewer of long ones."""

BUSY, SOON, FIRST, MEMORY = 0.05, 50.0, 0.4, 80.0
"""At most: share of a CPU; ms for a key; seconds of CPU for the first table; MB."""

MEGA = 1e6

ROWS = {
    "programs": "MAXNPROC",
    "hosts": "PROGRAMS",
    "checkouts": "OUT FOR",
    "processes": "UP",
}
"""By view, a column that no other of these has."""

VIEW_KEYS = {"programs": b"1", "hosts": b"2", "checkouts": b"3", "processes": b"6"}

JSON_VIEWS = ("programs", "hosts", "processes", "pools", "connections", "checkouts")


@dataclass(frozen=True)
class Scale:
    """How much of everything; ``look`` is how long the view of programs is shown."""

    programs: int = PROGRAMS
    settle: float = 2 * PERIOD
    look: float = 60.0
    starts: int = 20
    rounds: int = 40

    @property
    def hosts(self) -> int:
        """Hosts that the programs are on."""
        return -(-self.programs // len(NAMES))

    @property
    def shorter(self) -> float:
        """Seconds for all other things that are looked at."""
        return self.look / 3


QUICK = Scale(programs=100, settle=1.0, look=3.0, starts=1, rounds=2)


class Bench:
    """A node, its programs, and a place for the consoles' homes."""

    def __init__(self, stack: ExitStack, scale: Scale) -> None:
        """Start the node; ``join`` has the programs come."""
        self.scale = scale
        self.home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.node = stack.enter_context(Node())
        self._crowd = stack.enter_context(Worker("crowd"))
        self._looker = stack.enter_context(Worker("crowd"))

    def join(self) -> None:
        """Have all programs linked, and changing."""
        count = self.scale.programs
        seconds = count / JOINED
        self._crowd.ask(
            "join",
            count=count,
            address=self.node.address,
            seconds=seconds,
            names=NAMES,
            sizes=SIZES,
            leaky=LEAKY,
        )
        time.sleep(seconds)
        self._await(lambda told: told["processes"] == count)
        self._crowd.ask("pace", period=PERIOD)
        time.sleep(self.scale.settle)

    def swell(self) -> None:
        """Have very many connections out."""
        count = self.scale.programs
        seconds = count / JOINED
        # The first of each is given back and taken again.
        self._crowd.ask("swell", out=OUT + 1, seconds=seconds)
        time.sleep(seconds)
        self._await(lambda told: told["checkouts"] >= count * OUT)

    def _await(self, reached: Callable[[Any], bool]) -> None:
        """Wait until the node says so of all there is. Raises ``Failed``."""
        until = time.monotonic() + PATIENCE
        while not reached(told := self.look("programs", 1, 0.1)):
            if time.monotonic() > until:
                raise Failed(f"not all came within {PATIENCE:g} seconds: {told}")
            time.sleep(0.5)

    def look(self, view: str, page: int, seconds: float) -> Any:
        """What is sent for so many rows of a view, for a while."""
        return self._looker.ask(
            "look",
            address=self.node.address,
            view=view,
            page=page,
            interval=LOOKED,
            seconds=seconds,
        )

    def open(self, address: str = "") -> Console:
        """A console that is just being started."""
        options = ("-d", f"{DELAY:g}")
        return Console(address or self.node.address, *options, home=self.home)

    @property
    def node_cpu(self) -> float:
        """Seconds of CPU that the node has used."""
        return spent(self.node.process.pid)

    def idle(self, seconds: float) -> float:
        """The share of a CPU that the node uses without anybody looking."""
        before = self.node_cpu
        time.sleep(seconds)
        return (self.node_cpu - before) / seconds


def table_of(view: str) -> Seen:
    """Whether a view has all its rows on the screen."""
    return lambda picture: picture.is_full(ROWS[view])


# A console that is looked at.


def screens(bench: Bench, idle: float) -> dict[str, Any]:
    """What a console uses while it shows a view, one after another."""
    scale = bench.scale
    found = {}
    relay = Relay(bench.node.address)
    with bench.open(relay.address) as console:
        console.until(table_of("programs"))
        for view, key in VIEW_KEYS.items():
            seconds = scale.look if view == "programs" else scale.shorter
            console.press(key)
            console.until(table_of(view))
            found[view] = screen(bench, console, relay, seconds, idle)
    return found


def screen(
    bench: Bench, console: Console, relay: Relay, seconds: float, idle: float
) -> dict[str, float]:
    """What passes and what is used in a while, by the second."""

    def totals() -> dict[str, float]:
        return {
            "at": time.monotonic(),
            "console": console.cpu,
            "node": bench.node_cpu,
            "written": console.written,
            "pictures": console.pictures,
            "received": relay.received,
            "sent": relay.sent,
        }

    before = totals()
    console.watch(seconds)
    after = totals()
    more = {name: after[name] - before[name] for name in after}
    rates = {name: more[name] / more["at"] for name in more if name != "at"}
    return {
        **rates,
        "node": rates["node"] - idle,
        "memory": console.most_memory,
        "seconds": more["at"],
    }


SCREENS = ["shown, 160x40 at 1 Hz", "of a CPU", "and of the node's", "pictures/s"]
SCREENS += ["to the terminal B/s", "from the node B/s", "most memory MB"]


def screen_row(name: str, found: Mapping[str, float]) -> list[str]:
    """A view's line of the table."""
    return [
        name,
        f"{found['console']:.1%}",
        f"{found['node']:.1%}",
        f"{found['pictures']:.1f}",
        f"{found['written']:,.0f}",
        f"{found['received']:,.0f}",
        f"{found['memory'] / MEGA:.1f}",
    ]


# Keys.


@dataclass(frozen=True)
class Key:
    """A key, and whether what it does is to be seen, compared with what was before.

    ``typed`` is typed before it.
    """

    name: str
    keys: bytes
    done: Callable[[Picture, Picture], bool]
    typed: bytes = b""


def _cursor_moved(before: Picture, now: Picture) -> bool:
    """Whether the cursor is one row further down."""
    was, there = (each.cursor(ROWS["programs"]) for each in (before, now))
    return was is not None and there == was + 1


def _paged(before: Picture, now: Picture) -> bool:
    full = now.is_full(ROWS["programs"])
    return full and now.place[0] > before.place[0]


def _at_end(before: Picture, now: Picture) -> bool:
    _, last, count = now.place
    return last == count and now.is_full(ROWS["programs"])


def _at_home(before: Picture, now: Picture) -> bool:
    first, _, _ = now.place
    return first == 1 and now.cursor(ROWS["programs"]) == 0


def _sorted(before: Picture, now: Picture) -> bool:
    """Whether those with the most connections come first, among alerts and others."""
    word = ROWS["programs"]
    if not now.is_full(word):
        return False
    groups: dict[bool, list[int]] = {}
    for row, count in zip(now.rows(word), now.column(word, "CONN"), strict=True):
        groups.setdefault(row[0] == " ", []).append(int(count))
    return all(each == sorted(each, reverse=True) for each in groups.values())


def _unsorted(before: Picture, now: Picture) -> bool:
    return now.is_full(ROWS["programs"]) and not _sorted(before, now)


def _holding(count: int) -> Callable[[Picture, Picture], bool]:
    """Whether there are so many rows now."""
    return lambda before, now: now.place[2] == count and now.is_full(ROWS["programs"])


def _showing(view: str) -> Callable[[Picture, Picture], bool]:
    return lambda before, now: now.is_full(ROWS[view])


def _opened(before: Picture, now: Picture) -> bool:
    """Whether the processes of one program are shown."""
    opened = now.is_full(ROWS["processes"]) and now.place[2] == 1
    return opened and now.lines[4].startswith(" programs ")


def script(scale: Scale) -> list[Key]:
    """Keys to be pressed one after another, again and again."""
    wanted = NAMES[5]
    views = [
        Key(f"{key.decode()}: {view}", key, _showing(view))
        for view, key in VIEW_KEYS.items()
    ]
    return [
        Key("Down", b"\x1b[B", _cursor_moved),
        Key("PgDn", b"\x1b[6~", _paged),
        Key("End", b"\x1b[F", _at_end),
        Key("Home", b"\x1b[H", _at_home),
        *views[1:],
        views[0],
        Key("c: by connections", b"c", _sorted),
        Key("=: own order", b"=", _unsorted),
        Key(
            "a letter of a filter",
            wanted[-1:].encode(),
            lambda before, now: now.last.strip() == f"Filter: {wanted}",
            typed=b"\\" + wanted[:-1].encode(),
        ),
        Key("Enter: filter", b"\r", _holding(scale.hosts)),
        Key("=: no filter", b"=", _holding(scale.programs)),
        Key("t: tree", b"t", _holding(scale.programs + scale.hosts)),
        Key("t: no tree", b"t", _holding(scale.programs)),
        Key("Enter: processes", b"\r", _opened),
        Key("Left: back", b"\x1b[D", _showing("programs")),
    ]


def pressed(console: Console, key: Key) -> float:
    """Press a key at any moment between two frames; seconds until it was answered."""
    if key.typed:
        console.press(key.typed)
    console.watch(random.uniform(0.1, 0.5))
    before = console.picture()
    began = console.press(key.keys)
    return console.until(lambda now: key.done(before, now)).at - began


def keys(bench: Bench, script: Sequence[Key], rounds: int) -> dict[str, Any]:
    """Seconds that each key took, each time; and the console's memory at the end."""
    taken: dict[str, list[float]] = {each.name: [] for each in script}
    with bench.open() as console:
        console.until(table_of("programs"))
        for _ in range(rounds):
            for key in script:
                try:
                    taken[key.name].append(pressed(console, key))
                except Failed as failure:
                    raise Failed(f"after {key.name}: {failure}") from None
        return {"taken": taken, "memory": console.most_memory}


KEYS = ["key", "median ms", "p95 ms", "max ms", "times"]


def key_row(name: str, taken: Sequence[float]) -> list[str]:
    """A key's line of the table."""
    figures = (median(taken), percentile(taken, 95), max(taken))
    return [name, *(f"{each * 1000:.1f}" for each in figures), f"{len(taken)}"]


def percentile(values: Sequence[float], percent: float) -> float:
    """The least of the values that so many percent of them do not exceed."""
    ordered = sorted(values)
    return ordered[-int(-len(ordered) * percent // 100) - 1]


# The first table.


def starts(bench: Bench, times: int) -> dict[str, list[float]]:
    """What it takes until the first table is drawn, from the start of the process."""
    found: dict[str, list[float]] = {"cpu": [], "wall": [], "memory": []}
    for turn in range(times + 1):
        with bench.open() as console:
            first = console.until(table_of("programs"))
            # The first of all is for the files to be read and compiled.
            if turn:
                found["cpu"].append(first.cpu)
                found["wall"].append(first.at - console.began)
                found["memory"].append(console.most_memory)
    return found


STARTS = ["until the first table", "median", "max", "times"]


def start_rows(found: Mapping[str, Sequence[float]]) -> results.Rows:
    """The lines of the table of starts."""

    def row(name: str, values: Sequence[float], form: str) -> list[str]:
        figures = (format(each, form) for each in (median(values), max(values)))
        return [name, *figures, f"{len(values)}"]

    return [
        row("CPU ms", [each * 1000 for each in found["cpu"]], ".0f"),
        row("wall ms", [each * 1000 for each in found["wall"]], ".0f"),
        row("memory MB", [each / MEGA for each in found["memory"]], ".1f"),
    ]


def attempted(measure: Callable[..., Any], *arguments: Any) -> Any:
    """What a measurement finds, or why it is not to be had."""
    try:
        return measure(*arguments)
    except Failed as failure:
        return str(failure)


def missing(name: str, header: Sequence[str]) -> list[str]:
    """The line of what is not to be had."""
    return [name, "not to be had", *[""] * (len(header) - 2)]


def _part(rows: int, count: int) -> str:
    """How many rows there were, and of how many where that is not all of them."""
    return f"{rows:,}" + (f" of {count:,}" if rows < count else "")


# Everything, as JSON.


def whole(bench: Bench, view: str) -> dict[str, float]:
    """What it takes to have the whole of a view, once. Raises ``Failed``."""
    options = ("-H", bench.node.address, "--view", view, "--json", "-N", "1")
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *options],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment(bench.home),
        )
        memory = cpu = 0.0
        while process.poll() is None:
            with suppress(OSError):
                memory = max(memory, peak(process.pid))
                cpu = max(cpu, spent(process.pid))
            time.sleep(0.01)
        wall = time.monotonic() - began
        err.seek(0)
        if process.returncode:
            raise Failed(err.read().strip()[-200:])
        out.seek(0)
        told = json.loads(out.read())
        size = out.tell()
    return {
        "rows": len(told[view]),
        "count": told["count"],
        "wall": wall,
        "cpu": cpu,
        "size": size,
        "memory": memory,
    }


JSON = ["--json --view", "rows", "wall s", "CPU s", "MB written", "most memory MB"]


def json_row(name: str, found: Any) -> list[str]:
    """A view's line of the table."""
    if isinstance(found, str):
        return missing(name, JSON)
    return [
        name,
        _part(found["rows"], found["count"]),
        f"{found['wall']:.2f}",
        f"{found['cpu']:.2f}",
        f"{found['size'] / MEGA:.1f}",
        f"{found['memory'] / MEGA:.1f}",
    ]


# What is sent.


def sent(bench: Bench, view: str, page: int, idle: float) -> dict[str, float]:
    """What a node does and sends for a frame, of so many rows of a view or of all."""
    before, began = bench.node_cpu, time.monotonic()
    found = bench.look(view, page, bench.scale.shorter)
    used, passed = bench.node_cpu - before, time.monotonic() - began
    frames = found["frames"]
    return {
        "rows": found["rows"],
        "count": found["count"],
        "bytes": found["bytes"] / frames,
        "cpu": (used - idle * passed) / frames,
        "waited": found["waited"],
        "frames": frames,
    }


SENT = ["asked for", "rows sent", "B/frame", "CPU of the node ms/frame", "answered ms"]


def sent_row(name: str, found: Any) -> list[str]:
    """A question's line of the table."""
    if isinstance(found, str):
        return missing(name, SENT)
    return [
        name,
        _part(found["rows"], found["count"]),
        f"{found['bytes']:,.0f}",
        f"{found['cpu'] * 1000:.1f}",
        f"{found['waited'] * 1000:.1f}",
    ]


# All of it.


@dataclass
class Found:
    """All that was measured; ``many`` are keys with very many connections out."""

    idle: float = 0.0
    screens: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    many: dict[str, list[float]] = field(default_factory=dict)
    starts: dict[str, list[float]] = field(default_factory=dict)
    json: dict[str, Any] = field(default_factory=dict)
    sent: dict[str, Any] = field(default_factory=dict)
    busy: float = 0.0
    """What the node uses by itself with very many out."""


def measured(scale: Scale) -> Found:
    """Measure all of it."""
    found = Found()
    with ExitStack() as stack:
        bench = Bench(stack, scale)
        _say("programs join")
        bench.join()
        _say("nobody looks")
        found.idle = bench.idle(scale.look)
        _say("screens")
        found.screens = screens(bench, found.idle)
        _say("starts")
        found.starts = starts(bench, scale.starts)
        _say("keys")
        found.keys = keys(bench, script(scale), scale.rounds)
        _say("JSON")
        found.json = {view: attempted(whole, bench, view) for view in JSON_VIEWS}
        _say("what is sent")
        for view in ("programs", "checkouts"):
            for page in (PAGE, 0):
                name = _asked(view, page)
                found.sent[name] = attempted(sent, bench, view, page, found.idle)
        _say("many connections out")
        bench.swell()
        _many(bench, found)
    return found


def _many(bench: Bench, found: Found) -> None:
    """The same of checkouts, with very many."""
    what = f"{bench.scale.programs * OUT:,} and more out"
    found.busy = bench.idle(bench.scale.shorter)
    relay = Relay(bench.node.address)
    with bench.open(relay.address) as console:
        console.until(table_of("programs"))
        console.press(VIEW_KEYS["checkouts"])
        console.until(table_of("checkouts"))
        found.screens[f"checkouts, {what}"] = screen(
            bench, console, relay, bench.scale.shorter, found.busy
        )
    views = ("checkouts", "programs")
    turns = [
        Key(
            f"{VIEW_KEYS[view].decode()}: {view}, {what}",
            VIEW_KEYS[view],
            _showing(view),
        )
        for view in views
    ]
    found.many = keys(bench, turns, bench.scale.rounds)["taken"]
    for page in (PAGE, 0):
        name = f"{_asked('checkouts', page)}, {what}"
        found.sent[name] = attempted(sent, bench, "checkouts", page, found.busy)
    found.json[f"checkouts, {what}"] = attempted(whole, bench, "checkouts")


def _asked(view: str, page: int) -> str:
    return f"{view}, " + (f"a screen of {page}" if page else "all")


def _say(what: str) -> None:
    print(what, flush=True)


def targets(found: Found) -> list[Target]:
    """What a console is held to, with so many programs."""
    screen = found.screens["programs"]
    slowest = {
        name: percentile(taken, 95) * 1000
        for name, taken in found.keys["taken"].items()
    }
    worst = max(slowest, key=lambda name: slowest[name])
    memory = max(
        found.keys["memory"], *(each["memory"] for each in found.screens.values())
    )
    return [
        Target("of a CPU, at 1 Hz", BUSY, screen["console"]),
        Target(f"ms for a key, p95 of the slowest ({worst})", SOON, slowest[worst]),
        Target("s of CPU for the first table", FIRST, median(found.starts["cpu"])),
        Target("MB of memory", MEMORY, memory / MEGA),
    ]


def notes(scale: Scale, found: Found) -> list[str]:
    """What there is to say beside the tables."""
    said = (
        f"{scale.programs:,} programs on {scale.hosts:,} hosts, linked to one node; "
        f"{scale.programs / PERIOD:,.0f} of them change in each second, which the node "
        f"uses {found.idle:.1%} of a CPU for, and {found.busy:.1%} with very many out."
    )
    asked = {f"--json --view {name}": each for name, each in found.json.items()}
    return [said] + [
        f"{name}: {why}"
        for name, why in {**asked, **found.sent}.items()
        if isinstance(why, str)
    ]


def allow_files() -> None:
    """Let this process's children have as many files open as may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = 1 << 16
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def scaled(given: argparse.Namespace) -> Scale:
    """How much was asked for."""
    base = QUICK if given.quick else Scale()
    chosen = {
        name: getattr(given, name)
        for name in ("programs", "look", "rounds")
        if getattr(given, name) is not None
    }
    return Scale(**{**vars(base), **chosen})


def main() -> None:
    """Measure, and publish."""
    parser = results.parser(__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, help="how many there are")
    parser.add_argument("--look", type=float, help="seconds that are looked at")
    parser.add_argument("--rounds", type=int, help="how often each key is pressed")
    given = parser.parse_args()
    scale = scaled(given)
    allow_files()
    found = measured(scale)
    results.publish(
        "console",
        given,
        SCREENS,
        [screen_row(*each) for each in found.screens.items()],
        vars(found),
        targets=targets(found),
        notes=notes(scale, found),
        more=[
            (
                KEYS,
                [key_row(*each) for each in (found.keys["taken"] | found.many).items()],
            ),
            (STARTS, start_rows(found.starts)),
            (JSON, [json_row(*each) for each in found.json.items()]),
            (SENT, [sent_row(*each) for each in found.sent.items()]),
        ],
    )


if __name__ == "__main__":
    main()
