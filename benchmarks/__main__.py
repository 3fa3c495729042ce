"""All benchmarks, one after another, and then RESULTS.rst: ``make bench``."""

from __future__ import annotations

import subprocess
import sys

from benchmarks import report

BENCHMARKS = ("overhead", "tail", "footprint", "wire")


def main(options: list[str]) -> int:
    """Run each with the same options; the exit status of the first that fails."""
    for name in BENCHMARKS:
        print(f"\n{name}\n", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *options]
        done = subprocess.run(command, check=False)
        if done.returncode:
            return done.returncode
    if not options:
        report.write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
