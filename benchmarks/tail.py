"""How long a checkout takes at worst, by the wall: connmon's node alive, stopped, dead.

Every single checkout and checkin is clocked. The cases take turns, each in a process of
its own while the others rest, so that what disturbs the machine disturbs all of them.
"""

from __future__ import annotations

import random
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.process import Node, Worker
from benchmarks.results import Target

BARE = "bare SQLAlchemy"
CASES = {
    BARE: "bare",
    "handlers that only `pass`": "pass",
    "connmon, node alive": "connmon",
    "connmon, node stopped": "connmon",
    "connmon, node killed": "connmon",
}
"""What is clocked, and its subject."""

THREADS = {1: "1 thread", 8: "8 threads"}
FIGURES = ("p50", "p99", "p99.9", "p99.99", "max")
HEADER = ["case", *(f"{each} us" for each in FIGURES), "p99.99 of bare", "by blocks"]

Figures = dict[str, float]


class Case:
    """One process that uses a pool of its own, from a number of threads."""

    def __init__(self, stack: ExitStack, name: str, threads: int, uses: int) -> None:
        """Make it, and bring its node into the state that the name says."""
        self.name = name
        self.blocks: list[Figures] = []
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        setting: dict[str, Any] = {
            "database": f"sqlite:///{Path(directory, 'tail.db')}",
            "program": "tail",
            "pool_size": threads,
        }
        node = None
        if CASES[name] == "connmon":
            node = stack.enter_context(Node())
            setting["node"] = node.address
        self._worker = stack.enter_context(Worker("clocking"))
        self._worker.ask(
            "make", subject=CASES[name], setting=setting, threads=threads, uses=uses
        )
        if node is not None:
            node.await_program("tail")
            if name.endswith("stopped"):
                node.stop()
            if name.endswith("killed"):
                node.end()

    def block(self, uses: int) -> None:
        """Clock so many uses in each thread."""
        self.blocks.append(self._worker.ask("block", uses=uses))

    def figures(self) -> Figures:
        """The figures of all uses."""
        figures: Figures = self._worker.ask("figures")
        return figures


def clock(threads: int, blocks: int, uses: int) -> dict[str, dict[str, Any]]:
    """All cases, taking turns in random order; the figures of each and its blocks'."""
    with ExitStack() as stack:
        cases = [Case(stack, name, threads, blocks * uses) for name in CASES]
        for _ in range(blocks):
            for case in random.sample(cases, len(cases)):
                case.block(uses)
        return {
            each.name: {"all": each.figures(), "blocks": each.blocks} for each in cases
        }


def ratios(found: dict[str, Any], bare: dict[str, Any]) -> tuple[float, float, float]:
    """The quartiles of p99.99 as a multiple of bare's, block by block."""
    pairs = zip(found["blocks"], bare["blocks"], strict=True)
    return results.spread([mine["p99.99"] / other["p99.99"] for mine, other in pairs])


def row(name: str, found: dict[str, Any], bare: dict[str, Any]) -> list[str]:
    """A case's line of the table."""
    low, middle, high = ratios(found, bare)
    return [
        name,
        *(f"{found['all'][figure]:.1f}" for figure in FIGURES),
        f"{found['all']['p99.99'] / bare['all']['p99.99']:.2f}",
        f"{middle:.2f} ({low:.2f}-{high:.2f})",
    ]


def main() -> None:
    """Measure, and publish."""
    parser = results.parser(__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, help="turns of each case")
    parser.add_argument("--uses", type=int, help="checkouts in each block, all threads")
    given = parser.parse_args()
    blocks = given.blocks or (2 if given.quick else 10)
    uses = given.uses or (20_000 if given.quick else 200_000)
    rows, raw, targets = [], {}, []
    for threads, title in THREADS.items():
        found = raw[title] = clock(threads, blocks, uses // threads)
        rows.append([title, *[""] * (len(HEADER) - 1)])
        rows += [row(f"  {name}", found[name], found[BARE]) for name in CASES]
        targets += [
            Target(
                f"{title}: {name}: p99.99 of bare", 3.0, ratios(each, found[BARE])[1]
            )
            for name, each in found.items()
            if CASES[name] == "connmon"
        ]
    results.publish("tail", given, HEADER, rows, raw, targets=targets)


if __name__ == "__main__":
    main()
