"""What reporting puts on the wire: bytes a minute when idle and when busy.

One process with a pool of 20 connections for each pace, all at the same time, each
reporting to the same node.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.process import Node, Worker
from benchmarks.results import Target

CONNECTIONS = 20
HELD = 5
"""How many of them are out at each moment, where there is any use."""

RATES = (0, 1_000, 10_000)
"""Checkouts a second."""

BOUNDS = {1_000: 357 / 250, 10_000: 357 / 3000}
"""Bytes a checkout; the first connmon sent 357 of them."""

HEADER = ["checkouts/s", "reached", "sent B/min", "received B/min", "segments/min"]
HEADER += ["B/checkout"]

SETTLED = 3.0
"""Seconds from the first use to the first look."""


def measure(seconds: float) -> dict[int, dict[str, float]]:
    """What passed in so many seconds at each pace."""
    with ExitStack() as stack:
        node = stack.enter_context(Node())
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workers = {rate: _worker(stack, node, place, rate) for rate in RATES}
        time.sleep(SETTLED)
        before = {
            rate: worker.ask("counts", node=node.address)
            for rate, worker in workers.items()
        }
        began = time.monotonic()
        for rate, worker in workers.items():
            worker.tell("pace", rate=rate, seconds=seconds, held=HELD if rate else 0)
        done = {rate: worker.answer() for rate, worker in workers.items()}
        passed = time.monotonic() - began
        after = {
            rate: worker.ask("counts", node=node.address)
            for rate, worker in workers.items()
        }
    return {
        rate: {
            "seconds": passed,
            "checkouts": done[rate],
            **{what: after[rate][what] - before[rate][what] for what in after[rate]},
        }
        for rate in RATES
    }


def _worker(stack: ExitStack, node: Node, place: Path, rate: int) -> Worker:
    """A process whose link to the node stands."""
    program = f"paced-{rate}"
    setting: dict[str, Any] = {
        "database": f"sqlite:///{place / 'wire.db'}",
        "node": node.address,
        "program": program,
        "pool_size": CONNECTIONS,
    }
    worker = stack.enter_context(Worker("pacing"))
    worker.ask("make", setting=setting)
    node.await_program(program)
    return worker


def each(found: dict[str, float]) -> float:
    """Bytes for one checkout, both ways."""
    return (found["sent"] + found["received"]) / found["checkouts"]


def row(rate: int, found: dict[str, float]) -> list[str]:
    """A pace's line of the table."""
    minutes = found["seconds"] / 60
    return [
        f"{rate:,}" if rate else "idle",
        f"{found['checkouts'] / found['seconds']:,.0f}",
        f"{found['sent'] / minutes:,.0f}",
        f"{found['received'] / minutes:,.0f}",
        f"{(found['segments_out'] + found['segments_in']) / minutes:,.0f}",
        f"{each(found):.3f}" if rate else "",
    ]


def main() -> None:
    """Measure, and publish."""
    parser = results.parser(__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, help="how long to count")
    given = parser.parse_args()
    found = measure(given.seconds or (10.0 if given.quick else 120.0))
    rows = [row(rate, paced) for rate, paced in found.items()]
    targets = [
        Target(f"bytes a checkout, {rate:,} a second", share, each(found[rate]))
        for rate, share in BOUNDS.items()
    ]
    results.publish("wire", given, HEADER, rows, found, targets=targets)


if __name__ == "__main__":
    main()
