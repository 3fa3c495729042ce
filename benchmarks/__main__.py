"""All benchmarks, one after another, and then RESULTS.rst: ``make bench``.

Those that are named, if any are: ``make bench ARGS=mesh``.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks import report

BENCHMARKS = ("overhead", "tail", "footprint", "wire", "mesh", "console")


def main(arguments: list[str]) -> int:
    """Run each with the same options; the exit status of the first that fails."""
    options = [each for each in arguments if each not in BENCHMARKS]
    names = [each for each in arguments if each in BENCHMARKS] or BENCHMARKS
    for name in names:
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
