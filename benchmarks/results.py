"""What a benchmark leaves behind: tables, and JSON with all that they rest on."""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.metadata
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"

PACKAGES = (
    "SQLAlchemy",
    "Twisted",
    "crochet",
    "msgpack",
    "prometheus_client",
    "sqlalchemy-collectd",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-sqlalchemy",
)
"""The packages whose versions matter, where they are installed."""

LOAD = os.getloadavg()[0]
"""How busy the machine was with other things, before this process began."""

Rows = list[list[str]]


@dataclass(frozen=True)
class Target:
    """A figure that has to stay within a bound."""

    what: str
    bound: float
    found: float

    def cells(self) -> list[str]:
        """Its line of the table of targets."""
        kept = "yes" if self.found <= self.bound else "NO"
        return [self.what, f"{self.bound:g}", f"{self.found:.3g}", kept]


TARGETS = ["target", "at most", "is", "kept"]
"""The heading of that table."""


def parser(description: str) -> argparse.ArgumentParser:
    """A command line with the options that every benchmark has."""
    made = argparse.ArgumentParser(description=description, allow_abbrev=False)
    made.add_argument(
        "--quick", action="store_true", help="a short try; its figures mean little"
    )
    made.add_argument(
        "--into",
        type=Path,
        help="where the JSON file goes; default: benchmarks/results",
    )
    return made


def publish(
    name: str,
    given: argparse.Namespace,
    header: list[str],
    rows: Rows,
    raw: Any,
    *,
    targets: Sequence[Target] = (),
    notes: Sequence[str] = (),
    more: Sequence[tuple[list[str], Rows]] = (),
) -> None:
    """Print the tables, and write them with what they rest on to a JSON file.

    ``more`` are further tables, a header and rows each.
    """
    into = given.into or (RESULTS / "quick" if given.quick else RESULTS)
    into.mkdir(parents=True, exist_ok=True)
    found = {
        "benchmark": name,
        **circumstances(),
        "quick": given.quick,
        "header": header,
        "rows": rows,
        "more": more,
        "notes": [*notes, *_doubts(given)],
        "targets": [target.cells() for target in targets],
        "raw": raw,
    }
    text = json.dumps(found, indent=1) + "\n"
    (into / f"{name}.json").write_text(text, encoding="utf-8")
    below = table(TARGETS, found["targets"]) if targets else ""
    tables = [table(*each) for each in ((header, rows), *more)]
    print("\n\n".join(tables), *found["notes"], "", below, sep="\n")


def circumstances() -> dict[str, Any]:
    """Where, when and with what a benchmark ran."""
    now = dt.datetime.now(dt.timezone.utc)
    return {
        "date": now.isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", *_module(), *sys.argv[1:]]),
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": f"{_processor()}, {os.cpu_count()} CPUs, {platform.system()} "
        f"{platform.release()}",
        "load": LOAD,
        "versions": dict(_versions()),
    }


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as reStructuredText has it, which is readable as it is.

    No line, nor the header, may begin with an empty cell.
    """
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    rule = "  ".join("=" * width for width in widths)
    first, *others = (
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
    return "\n".join([rule, first, rule, *others, rule])


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile."""
    if len(values) < 2:
        return (values[0],) * 3
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, middle, upper


def _doubts(given: argparse.Namespace) -> list[str]:
    """Why the figures may not be worth much."""
    doubts = []
    if given.quick:
        doubts.append("A quick try.")
    if LOAD > 0.5:
        doubts.append(f"The machine was busy before it began: load {LOAD:.1f}.")
    return doubts


def _versions() -> list[tuple[str, str]]:
    found = []
    for package in PACKAGES:
        try:
            found.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            found.append((package, "not installed"))
    return found


def _module() -> list[str]:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return [spec.name] if spec is not None else []


def _commit() -> str:
    """Which connmon this is: of the checkout that it is imported from."""
    import connmon

    place = Path(connmon.__file__).parent
    try:
        done = subprocess.run(
            ["git", "-C", place, "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return f"connmon {connmon.__version__}"
    return done.stdout.strip()


def _processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
