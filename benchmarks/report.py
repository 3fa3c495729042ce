"""RESULTS.rst, made of the JSON files that the benchmarks have left."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from benchmarks.results import HERE, RESULTS, TARGETS, table

TITLES = {
    "overhead": "CPU time of a checkout and a checkin",
    "tail": "The longest checkouts",
    "footprint": "Memory, threads, start and idleness",
    "wire": "Bytes on the wire",
    "mesh": "A cluster of nodes",
    "console": "The console",
}

HEAD = """\
==================
What connmon costs
==================

The latest run of each benchmark, written by ``python -m benchmarks.report`` from
``results/``; README.rst says how each figure is come by. Ratios are what to compare:
microseconds and milliseconds are this machine's.
"""


def write() -> None:
    """Write the page anew."""
    found = [RESULTS / f"{name}.json" for name in TITLES]
    runs = [json.loads(each.read_text("utf-8")) for each in found if each.exists()]
    page = "\n".join([HEAD, *(section(run) for run in runs)])
    (HERE / "RESULTS.rst").write_text(page, encoding="utf-8")


def section(run: dict[str, Any]) -> str:
    """What the page says of one run."""
    title = TITLES[run["benchmark"]]
    versions = ", ".join(f"{name} {each}" for name, each in run["versions"].items())
    circumstances = (
        f"{run['date']}, {run['commit']}, Python {run['python']}; {run['machine']}, "
        f"load {run['load']:.2f} before. {versions}."
    )
    tables = [(run["header"], run["rows"]), *run.get("more", [])]
    shown = "\n\n".join(table(*each) for each in tables)
    notes = "".join(f"* {note}\n" for note in run["notes"])
    return f"""\
{title}
{"=" * len(title)}

``{run["command"]}``

{textwrap.fill(circumstances, 88)}

{shown}

{notes}
{table(TARGETS, run["targets"]) if run["targets"] else ""}
"""


if __name__ == "__main__":
    write()
