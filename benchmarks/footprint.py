"""What watching adds to a process: memory, threads, start-up time, wakeups when idle.

Memory is weighed in one process at a time, so that no other shares its pages, several
times anew. Then one process of each kind is left idle, all at the same time.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.process import Failed, Node, Worker, sink
from benchmarks.results import Target

TLS = Path(sys.prefix, "tls")
"""Where ``make bench`` installs pyOpenSSL, for it to be there or not."""


@dataclass(frozen=True)
class Case:
    """A line of the table: a subject, with pyOpenSSL to be imported or without."""

    name: str
    subject: str
    tls: bool = False


CASES = (
    Case("bare SQLAlchemy, another engine", "bare"),
    Case("connmon", "connmon"),
    Case("connmon, pyOpenSSL installed", "connmon", tls=True),
    Case("sqlalchemy-collectd", "collectd"),
    Case("prometheus_client, and its HTTP server", "prometheus-served"),
    Case("OpenTelemetry, metrics", "otel-metrics"),
)

HEADER = ["watched by", "private MiB", "written MiB", "modules", "threads"]
HEADER += ["start ms", "of CPU", "wakeups/min", "idle CPU ms/min"]

SETTLED = 5.0
"""Seconds after the last use until a process counts as idle."""


class Bench:
    """Where processes are weighed, one after another."""

    def __init__(self, stack: ExitStack) -> None:
        """Have a node and a place for databases."""
        self._stack = stack
        self._place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self._node = stack.enter_context(Node())
        self._sink = stack.enter_context(sink()).getsockname()[1]
        self._made = 0

    def weigh(self, case: Case) -> tuple[Worker, dict[str, float]]:
        """A process of a kind, and what watching added to it."""
        if case.tls and not TLS.is_dir():
            raise Failed(f"pyOpenSSL is not in {TLS}")
        self._made += 1
        program = f"weighed-{self._made}"
        worker = self._stack.enter_context(
            Worker("weighing", path=str(TLS) if case.tls else "")
        )
        worker.ask("begin", database=f"sqlite:///{self._place / 'first.db'}")
        before = worker.ask("weigh")
        start = worker.ask(
            "watch", subject=case.subject, setting=self._setting(program)
        )
        if not worker.ask("use"):
            raise Failed("it noticed nothing")
        if case.subject == "connmon":
            self._node.await_program(program)
        after = worker.ask("weigh")
        added = {name: after[name] - before[name] for name in after}
        return worker, {**added, **start}

    def _setting(self, program: str) -> dict[str, Any]:
        return {
            "database": f"sqlite:///{self._place / 'second.db'}",
            "node": self._node.address,
            "program": program,
            "sink": self._sink,
        }


def weighed(bench: Bench, times: int) -> dict[str, Any]:
    """What each case adds, several times; the reason instead where it cannot be."""
    found: dict[str, Any] = {}
    for turn in range(times + 1):
        for case in CASES:
            if isinstance(found.get(case.name), str):
                continue
            try:
                worker, added = bench.weigh(case)
            except Failed as failure:
                found[case.name] = str(failure)
                continue
            worker.end()
            # The first of all is for the files to be read and compiled.
            if turn:
                found.setdefault(case.name, []).append(added)
    return found


def idle(bench: Bench, cases: list[Case], seconds: float) -> dict[str, Any]:
    """How often the threads that were added woke, each process idle for a while."""
    workers = {case.name: bench.weigh(case)[0] for case in cases}
    time.sleep(SETTLED)
    before = {name: worker.ask("wakeups") for name, worker in workers.items()}
    time.sleep(seconds)
    return {
        name: since(before[name], worker.ask("wakeups"), 60.0 / seconds)
        for name, worker in workers.items()
    }


def since(
    before: dict[str, dict[str, float]],
    after: dict[str, dict[str, float]],
    scale: float,
) -> dict[str, float]:
    """What all threads did between two looks at them."""
    return {
        what: scale
        * sum(
            now[what] - before.get(thread, dict.fromkeys(now, 0.0))[what]
            for thread, now in after.items()
        )
        for what in ("slept", "cpu")
    }


def more(added: Any, bare: Any, what: str) -> float:
    """The median of what was added, less what a bare engine adds."""
    mine, other = (
        statistics.median(each[what] for each in every) for every in (added, bare)
    )
    return float(mine if added is bare else mine - other)


def row(case: Case, added: Any, bare: Any, idled: dict[str, float]) -> list[str]:
    """A case's line of the table."""
    if isinstance(added, str):
        return [case.name, "not measured", *[""] * (len(HEADER) - 2)]
    return [
        case.name,
        *(f"{more(added, bare, what):.1f}" for what in ("private", "dirty")),
        *(
            f"{more(added, bare, what):.0f}"
            for what in ("modules", "threads", "wall", "cpu")
        ),
        *(f"{idled[what]:.1f}" for what in ("slept", "cpu")),
    ]


def targets(added: dict[str, Any], idled: dict[str, Any]) -> list[Target]:
    """What has to hold of connmon."""
    found = []
    for case in CASES:
        if case.subject == "connmon" and case.name in idled:
            private = more(added[case.name], added[CASES[0].name], "private")
            found.append(Target(f"{case.name}: private MiB", 9.0, private))
            slept = idled[case.name]["slept"]
            found.append(Target(f"{case.name}: wakeups a minute", 6.0, slept))
    return found


def main() -> None:
    """Measure, and publish."""
    parser = results.parser(__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, help="how often each is weighed")
    parser.add_argument("--idle", type=float, help="seconds of idleness")
    given = parser.parse_args()
    times = given.times or (1 if given.quick else 7)
    seconds = given.idle or (10.0 if given.quick else 240.0)
    with ExitStack() as stack:
        bench = Bench(stack)
        added = weighed(bench, times)
        there = [case for case in CASES if not isinstance(added[case.name], str)]
        idled = idle(bench, there, seconds)
    bare = added[CASES[0].name]
    rows = [
        row(case, added[case.name], bare, idled.get(case.name, {})) for case in CASES
    ]
    notes = [f"{name}: {why}" for name, why in added.items() if isinstance(why, str)]
    raw = {"added": added, "idle": idled, "idle seconds": seconds}
    held = targets(added, idled)
    results.publish("footprint", given, HEADER, rows, raw, targets=held, notes=notes)


if __name__ == "__main__":
    main()
