"""What watching costs each use of a pool, in CPU time: connmon and its rivals.

An application is watched in one way. So each subject has a process of its own, with a
bare engine and one whose handlers only ``pass`` beside it; one that wraps SQLAlchemy's
own methods is compared with these two in another. Every round times all of them, in
random order; what counts are the ratios within a round and a process, their median over
all rounds and how far they spread. Every few rounds all processes are started anew.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.process import Failed, Node, Worker, sink
from benchmarks.results import Target

SUBJECTS = {
    "bare": "bare SQLAlchemy",
    "pass": "handlers that only `pass`",
    "connmon": "connmon, defaults",
    "prometheus": "prometheus_client: gauge, counter",
    "prometheus-hold": "prometheus_client: and hold times",
    "collectd-mended": "sqlalchemy-collectd, `reset` mended",
    "collectd": "sqlalchemy-collectd as shipped",
    "otel-metrics": "OpenTelemetry, metrics",
    "otel-spans": "OpenTelemetry, metrics and spans",
}
"""What is measured, and how the table calls it."""

ALONE = ("otel-metrics", "otel-spans")
"""The subjects that change SQLAlchemy for the whole process."""

THREADED = ("connmon", "collectd", "otel-spans")
"""The subjects that have a thread of their own, or begin with one of these words."""

OPTIONS = (
    *("connmon_trace=off", "connmon_trace=slow", "connmon_trace=all"),
    *("connmon_transactions=off", "connmon_transactions=all"),
)
"""What can be asked of connmon besides its defaults; ``--option`` adds to it."""

USES = {"pool": 2000, "select": 500}
"""What is timed, and how often in one lap."""

HEADER = ["watched by", "pool us", "of bare", "(half are in)", "of pass", "added us"]
HEADER += ["select us", "of bare", "(half are in)", "added us", "other threads"]

Laps = dict[str, dict[str, list[float]]]
"""The laps of each engine that is timed, by use."""

REFERENCES = ("bare", "pass")
"""What every other subject is compared with."""


def beside(reference: str, subject: str) -> str:
    """The engine that a subject is compared with."""
    return f"{reference} beside {'nobody' if subject in ALONE else subject}"


class Group:
    """A process, and which subject each engine in it is of."""

    def __init__(self, worker: Worker, engines: dict[str, str]) -> None:
        """``engines`` are to be made in ``worker``."""
        self.worker = worker
        self.engines = engines

    def lap(self, engine: str, use: str, count: int) -> float:
        """Microseconds for one use."""
        subject = self.engines[engine]
        taken: float = self.worker.ask("lap", subject=subject, use=use, count=count)
        return taken


class Field:
    """All processes of one start, each with its engines."""

    def __init__(self, stack: ExitStack, subjects: list[str]) -> None:
        """Start them; ``missing`` then says which subjects cannot be had, and why."""
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        self._node = stack.enter_context(Node())
        self._setting = {
            "database": f"sqlite:///{Path(directory, 'overhead.db')}",
            "node": self._node.address,
            "sink": stack.enter_context(sink()).getsockname()[1],
        }
        self._groups: list[Group] = []
        self.missing: dict[str, str] = {}
        references = {f"{each} beside nobody": each for each in REFERENCES}
        self._groups.append(Group(stack.enter_context(Worker("timing")), references))
        self._make(self._groups[0])
        for subject in subjects:
            if subject not in REFERENCES:
                self._add(subject, stack.enter_context(Worker("timing")))

    def _add(self, subject: str, worker: Worker) -> None:
        """A subject's process, if the subject can be had."""
        engines = {subject: subject}
        if subject not in ALONE:
            engines |= {beside(each, subject): each for each in REFERENCES}
        group = Group(worker, engines)
        try:
            self._make(group)
        except Failed as failure:
            self.missing[subject] = str(failure)
            return
        self._groups.append(group)

    def _make(self, group: Group) -> None:
        for engine, subject in group.engines.items():
            setting = {**self._setting, "program": engine}
            group.worker.ask("make", subject=subject, setting=setting)
            if subject.startswith("connmon"):
                self._node.await_program(engine)

    def run(self, rounds: int, laps: Laps) -> None:
        """Time every engine once a round, process by process, in random order."""
        for _ in range(rounds):
            random.shuffle(self._groups)
            for group in self._groups:
                for use, count in USES.items():
                    for engine in random.sample([*group.engines], len(group.engines)):
                        taken = group.lap(engine, use, count)
                        laps.setdefault(engine, {}).setdefault(use, []).append(taken)

    def others(self, seconds: float) -> dict[str, dict[str, float]]:
        """The CPU of threads that are not the application's, where there are any."""
        found = {}
        for group in self._groups:
            for subject in group.engines.values():
                if subject.startswith(THREADED):
                    taken = group.worker.ask("others", subject=subject, seconds=seconds)
                    found[subject] = taken
        return found


def main() -> None:
    """Measure, and publish."""
    parser = results.parser(__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, help="how often processes are started")
    parser.add_argument("--rounds", type=int, help="rounds in each start")
    parser.add_argument(
        "--only", help="subjects beside `bare` and `pass`, with commas between them"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=list(OPTIONS),
        metavar="NAME=VALUE[ ...]",
        help="also connmon with these options of its URL; may be repeated",
    )
    given = parser.parse_args()
    starts = given.starts or (1 if given.quick else 4)
    rounds = given.rounds or (5 if given.quick else 20)
    names = {**SUBJECTS, **{f"connmon {each}": f"  {each}" for each in given.option}}
    subjects = _order(list(names), given.only)
    measured = Measured()
    for _ in range(starts):
        with ExitStack() as stack:
            field = Field(stack, subjects)
            field.run(rounds, measured.laps)
            measured.missing = field.missing
            for key, taken in field.others(0.3 if given.quick else 1.5).items():
                measured.others.setdefault(key, []).append(taken)
    rows = [measured.row(subject, names[subject]) for subject in subjects]
    notes = [f"{names[each]}: {why}" for each, why in measured.missing.items()]
    results.publish(
        "overhead",
        given,
        HEADER,
        rows,
        measured.raw(),
        targets=measured.targets(),
        notes=notes,
    )


def _order(subjects: list[str], only: str | None) -> list[str]:
    """The subjects wanted, connmon with options after connmon without."""
    if only is not None:
        wanted = {"bare", "pass", *only.split(",")}
        subjects = [each for each in subjects if each in wanted or " " in each]
    places = list(SUBJECTS)
    return sorted(subjects, key=lambda each: places.index(each.split()[0]))


class Measured:
    """All laps of all starts, and what follows from them."""

    def __init__(self) -> None:
        """Begin with none."""
        self.laps: Laps = {}
        self.missing: dict[str, str] = {}
        self.others: dict[str, list[dict[str, float]]] = {}

    def row(self, subject: str, name: str) -> list[str]:
        """A subject's line of the table."""
        if subject in self.missing:
            return [name, "not measured", *[""] * (len(HEADER) - 2)]
        return [
            name,
            *self._cells(subject, "pool"),
            *[cell for i, cell in enumerate(self._cells(subject, "select")) if i != 3],
            self._others(subject),
        ]

    def raw(self) -> dict[str, Any]:
        """What the table rests on."""
        return {
            "laps": {
                key: {
                    use: [round(lap, 4) for lap in laps] for use, laps in uses.items()
                }
                for key, uses in self.laps.items()
            },
            "missing": self.missing,
            "other threads": self.others,
        }

    def targets(self) -> list[Target]:
        """What has to hold of connmon with its defaults."""
        if "connmon" not in self.laps:
            return []
        ratio = {
            (use, base): statistics.median(self.ratios("connmon", use, base))
            for use in USES
            for base in REFERENCES
        }
        found = [
            Target("pool, of bare", 1.25, ratio["pool", "bare"]),
            Target("pool, of `pass`", 1.10, ratio["pool", "pass"]),
            Target("select, of bare", 1.12, ratio["select", "bare"]),
        ]
        added = self.added("connmon", "pool")
        for rival in ("prometheus", "prometheus-hold", "collectd-mended"):
            if rival in self.laps:
                share = added / self.added(rival, "pool")
                found.append(Target(f"pool, added, of {rival}", 0.5, share))
        return found

    def ratios(self, subject: str, use: str, base: str) -> list[float]:
        """A subject's laps as multiples of a reference's in the same round."""
        return [mine / other for mine, other in self._pairs(subject, use, base)]

    def added(self, subject: str, use: str) -> float:
        """Microseconds more than bare, the median of all rounds."""
        pairs = self._pairs(subject, use, "bare")
        return statistics.median(mine - bare for mine, bare in pairs)

    def _pairs(
        self, subject: str, use: str, base: str
    ) -> Iterator[tuple[float, float]]:
        """Its laps, each with a reference's; a reference has those of all processes."""
        if subject not in REFERENCES:
            mine, other = self.laps[subject][use], self.laps[beside(base, subject)][use]
            yield from zip(mine, other, strict=True)
            return
        for key, laps in self.laps.items():
            if key.startswith(f"{subject} beside "):
                other = self.laps[key.replace(subject, base, 1)][use]
                yield from zip(laps[use], other, strict=True)

    def _cells(self, subject: str, use: str) -> list[str]:
        """Microseconds, ratio and its spread, ratio to ``pass``, microseconds added."""
        pairs = self._pairs(subject, use, "bare")
        taken = f"{statistics.median(mine for mine, _ in pairs):.2f}"
        if subject == "bare":
            return [taken, "1.00", "", "", ""]
        low, middle, high = results.spread(self.ratios(subject, use, "bare"))
        of_pass = statistics.median(self.ratios(subject, use, "pass"))
        return [
            taken,
            f"{middle:.2f}",
            f"{low:.2f}-{high:.2f}",
            f"{of_pass:.2f}",
            f"{self.added(subject, use):.2f}",
        ]

    def _others(self, subject: str) -> str:
        """What other threads take while the pool is used as fast as can be."""
        if subject not in self.others:
            return ""
        share = statistics.median(each["share"] for each in self.others[subject])
        return f"{share:.1%}"


if __name__ == "__main__":
    main()
