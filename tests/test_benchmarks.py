"""The benchmarks: what follows from their measurements, and that they run at all."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool
from twisted.trial.unittest import SynchronousTestCase

import benchmarks
from benchmarks import console, footprint, mesh, report, results, tail, wire
from benchmarks.inside.clocking import Clocked, percentiles
from benchmarks.overhead import Measured
from benchmarks.results import Target
from benchmarks.terminal import Picture

#: Where the benchmarks are seen from: beside connmon, or where it is installed.
PLACE = Path(benchmarks.__file__).parents[1]


class ResultsTests(SynchronousTestCase):
    """Tables, and the arithmetic below them."""

    def test_table(self) -> None:
        """Names to the left, figures to the right, between reST's rules."""
        text = results.table(
            ["case", "us"], [["bare", "1.00"], ["connmon, defaults", ""]]
        )
        wanted = [
            "=================  ====",
            "case                 us",
            "=================  ====",
            "bare               1.00",
            "connmon, defaults",
            "=================  ====",
        ]
        self.assertEqual(wanted, text.split("\n"))

    def test_spread(self) -> None:
        """The quartiles; of a single value that value."""
        self.assertEqual((2.0, 3.0, 4.0), results.spread([5, 1, 4, 2, 3]))
        self.assertEqual((7, 7, 7), results.spread([7]))

    def test_target(self) -> None:
        """A bound is kept also where it is just reached."""
        self.assertEqual(["w", "6", "6", "yes"], Target("w", 6.0, 6.0).cells())
        self.assertEqual(["w", "6", "6.01", "NO"], Target("w", 6.0, 6.01).cells())

    def test_section(self) -> None:
        """A run's part of the page has its command, its notes and both tables."""
        run = {
            "benchmark": "wire",
            "command": "python -m benchmarks.wire",
            "date": "now",
            "commit": "c0ffee",
            "python": "3.13",
            "machine": "m",
            "load": 0.5,
            "versions": {"SQLAlchemy": "2.1"},
            "notes": ["no rival"],
            "header": ["", "B"],
            "rows": [["idle", "9"]],
            "more": [[["when", "n"], [["then", "8"]]]],
            "targets": [["t"] * 4],
        }
        text = report.section(run)
        for each in (
            "``python -m benchmarks.wire``",
            "* no rival",
            "idle  9",
            "then  8",
            "t     ",
        ):
            self.assertIn(each, text)


class OverheadTests(SynchronousTestCase):
    """What laps come to."""

    def measured(self) -> Measured:
        """Three rounds, the second of them on a machine at half its speed."""
        made = Measured()
        for engine, lap in (
            ("bare beside connmon", 4.0),
            ("pass beside connmon", 5.0),
            ("connmon", 6.0),
        ):
            made.laps[engine] = {use: [lap, 2 * lap, lap] for use in ("pool", "select")}
        return made

    def test_ratios(self) -> None:
        """They are those within a round, so a slow round does not show."""
        self.assertEqual([1.5] * 3, self.measured().ratios("connmon", "pool", "bare"))

    def test_references(self) -> None:
        """They are timed in each process, and all of that counts."""
        made = self.measured()
        made.laps["bare beside nobody"] = {"pool": [4.0, 4.0]}
        made.laps["pass beside nobody"] = {"pool": [6.0, 8.0]}
        self.assertEqual(
            [1.25, 1.25, 1.25, 1.5, 2.0], made.ratios("pass", "pool", "bare")
        )

    def test_one_that_has_no_reference_beside_it(self) -> None:
        """It is compared with those that are alone."""
        made = self.measured()
        made.laps["bare beside nobody"] = {"pool": [4.0, 4.0]}
        made.laps["otel-metrics"] = {"pool": [8.0, 12.0]}
        self.assertEqual([2.0, 3.0], made.ratios("otel-metrics", "pool", "bare"))

    def test_row(self) -> None:
        """Microseconds, of bare, the spread, of pass, added; and again for select."""
        of_bare = ["6.00", "1.50", "1.50-1.50"]
        self.assertEqual(
            ["connmon", *of_bare, "1.20", "2.00", *of_bare, "2.00", ""],
            self.measured().row("connmon", "connmon"),
        )

    def test_missing(self) -> None:
        """A subject that cannot be had has a line that says so."""
        made = self.measured()
        made.missing["rival"] = "ModuleNotFoundError: rival"
        self.assertEqual("not measured", made.row("rival", "a rival")[1])

    def test_targets(self) -> None:
        """Only rivals that were measured are compared with."""
        made = self.measured()
        self.assertEqual(
            [1.5, 1.2, 1.5], [round(target.found, 6) for target in made.targets()]
        )
        made.laps["bare beside prometheus"] = {"pool": [3.0, 6.0, 3.0]}
        made.laps["prometheus"] = {"pool": [7.0, 14.0, 7.0]}
        self.assertEqual(0.5, made.targets()[-1].found)


class OthersTests(SynchronousTestCase):
    """The arithmetic of the other benchmarks."""

    def test_percentiles(self) -> None:
        """Each is a value that was seen, in microseconds; the most exceed none."""
        wanted = {
            "p50": 5.999,
            "p99": 10.899,
            "p99.9": 10.989,
            "p99.99": 10.998,
            "max": 10.999,
        }
        self.assertEqual(wanted, percentiles(range(1000, 11000)))
        self.assertEqual({0.007}, set(percentiles([7]).values()))

    def test_clocked(self) -> None:
        """Blocks of all threads go into one place, each with figures of its own."""
        clocked = Clocked(create_engine("sqlite://", poolclass=QueuePool), 1, 20)
        self.addCleanup(clocked.engine.dispose)
        clocked.block(10)
        clocked.block(10)
        self.assertTrue(all(clocked.taken[0]))
        self.assertEqual(
            max(clocked.taken[0][10:]) / 1000, clocked.figures(since=10)["max"]
        )

    def test_tail_ratios(self) -> None:
        """Block by block, so that a disturbed block counts as one."""
        blocks = [{"p99.99": figure} for figure in (50.0, 60.0, 9000.0)]
        bare = [{"p99.99": figure} for figure in (50.0, 30.0, 30.0)]
        found = tail.ratios({"blocks": blocks}, {"blocks": bare})
        self.assertEqual(2.0, found[1])

    def test_more(self) -> None:
        """What a bare engine adds is taken off, but not off itself."""
        bare = [{"private": 1.0}, {"private": 3.0}]
        added = [{"private": 10.0}, {"private": 12.0}]
        self.assertEqual(9.0, footprint.more(added, bare, "private"))
        self.assertEqual(2.0, footprint.more(bare, bare, "private"))

    def test_wakeups(self) -> None:
        """Those of all threads between two looks, as if in a minute."""
        before = {"7": {"slept": 10, "cpu": 1.0}}
        after = {"7": {"slept": 13, "cpu": 1.5}, "8": {"slept": 1, "cpu": 0.5}}
        self.assertEqual(
            {"slept": 8.0, "cpu": 2.0}, footprint.since(before, after, 2.0)
        )

    def test_wire(self) -> None:
        """Bytes a minute each way, and for a checkout both ways."""
        found = {
            "seconds": 120.0,
            "checkouts": 12_000,
            "sent": 5_000,
            "received": 1_000,
            "segments_out": 30,
            "segments_in": 10,
        }
        self.assertEqual(
            ["1,000", "100", "2,500", "500", "20", "0.500"], wire.row(1_000, found)
        )


class MeshTests(SynchronousTestCase):
    """What follows from the totals of a cluster."""

    def look(self, at: float, spent: float, size: int, sent: int) -> dict[str, Any]:
        """The totals of two nodes, of which the first hears all reports."""
        link = {
            **dict.fromkeys(("bytes_sent", "bytes_received"), size),
            **dict.fromkeys(("messages_sent", "messages_received"), size // 100),
        }
        fleet = {"node1": {"members": 2, "sent": sent, "told": sent * 90}}
        return {
            "at": at,
            "cpu": {"node1": 2 * spent, "node2": spent},
            "links": {"node1": {"node2": link}, "node2": {"node1": link}},
            "fleet": fleet if sent else {},
            "fleet_cpu": 0.0,
        }

    def found(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Ten seconds of work, and ten of idleness."""
        start = self.look(0.0, 0.0, 0, 0)
        busy = mesh.rates(
            {**start, "fleet": {"node1": {"sent": 0, "told": 0}}},
            self.look(10.0, 2.0, 11_000, 200),
        )
        return busy, mesh.rates(start, self.look(10.0, 1.0, 1_000, 0))

    def test_price(self) -> None:
        """A change costs what passed beyond idleness, and crosses by its own size."""
        busy, idle = self.found()
        self.assertEqual(100.0, mesh.each_change(busy, idle))
        self.assertEqual(100 / 90, mesh.crossed(busy, idle))

    def test_row(self) -> None:
        """Both directions between two nodes; CPU of the first and of the others."""
        busy, idle = self.found()
        self.assertEqual(
            ["c", "20", "22.0", "2,200", "100", "1.11", "40.00%", "20.00%", "7500"],
            mesh.row("c", busy, idle),
        )
        self.assertEqual(
            ["c", "0", "2.0", "200", "", "", "20.00%", "10.00%", ""],
            mesh.row("c", idle, idle),
        )

    def test_costs(self) -> None:
        """Of what one node hears and the other is told; and of each further change."""
        busy, idle = self.found()
        heard, told = mesh.shares_of_cost(busy, idle)
        self.assertEqual((0.01, 0.005), (round(heard, 9), round(told, 9)))
        self.assertAlmostEqual(0.0075, mesh.marginal(idle, busy))

    def test_bins(self) -> None:
        """Links when they stood, registrations where they went."""
        moved = [("node2", 0.01, 0.02), ("node3", 0.04, 0.06)]
        wanted = [["0-50 ms", "2", "1", "1", "0"], ["50-100 ms", "0", "1", "0", "1"]]
        self.assertEqual(wanted, mesh.bins(moved))

    def test_wrong(self) -> None:
        """A process that is counted twice, or is stale at the end, breaks a target."""
        right = {"processes": 2, "most": 2, "stale": 0, "of rows": 2}
        found = {
            "clients": 2,
            "moved": [("node2", 0.1, 0.2), ("node3", 0.1, 0.3)],
            "ends": {"node2": right, "node3": {**right, "most": 3, "stale": 1}},
        }
        kept = [target.cells()[-1] for target in mesh.reconnected(found)]
        self.assertEqual(["yes", "yes", "NO", "NO"], kept)

    def test_shares(self) -> None:
        """As even as they can be."""
        self.assertEqual([4, 3, 3], mesh.shares(10, 3))


class PictureTests(SynchronousTestCase):
    """What is read off a console's screen."""

    HEADING = "  HOST▾  PROGRAM   NPROC  CONN CKOUT MAXNPROC"

    def picture(
        self, *rows: str, place: str, heading: str = HEADING, where: str = ""
    ) -> Picture:
        """A screen with these rows, below a header of four lines and maybe a place."""
        header = ["connmon", "Hosts 1", "Waiting -", " OK"] + [where] * bool(where)
        lines = [*header, heading, *rows, "", f"F1Help  {place}"]
        return Picture([f"{line:50}" for line in lines])

    def programs(self, *counts: int, cursor: int = 0, alerts: int = 0) -> Picture:
        """Programs with so many connections, the first of them with an alert."""
        rows = [
            f"{'*' if n < alerts else ' '}{'>' if n == cursor else ' '}"
            f"h{n:5}  nova-api     1 {count:5}     0        1"
            for n, count in enumerate(counts)
        ]
        return self.picture(*rows, place=f"1-{len(rows)} of 900")

    def test_place(self) -> None:
        """The last line says which rows are seen; a prompt does not."""
        for said, wanted in (
            ("1-2 of 2", (1, 2, 2)),
            ("34-66 of 1000 (10000 in all)", (34, 66, 1000)),
            ("0-0 of 0", (0, 0, 0)),
            ("Filter: 1-2 of", (0, 0, 0)),
        ):
            self.assertEqual(wanted, self.picture(place=said).place)

    def test_heading(self) -> None:
        """A view is known by a whole word of its heading, sorted by or not."""
        picture = self.programs(2)
        self.assertEqual(4, picture.heading("MAXNPROC"))
        for word in ("PROC", "PROGRAMS", "Hosts"):
            self.assertIsNone(picture.heading(word))
        lower = self.picture(
            "  1",
            heading=" \N{BLACK DOWN-POINTING SMALL TRIANGLE}UP CONN",
            where=" programs > h1",
            place="1-1 of 1",
        )
        self.assertEqual(5, lower.heading("UP"))

    def test_rows(self) -> None:
        """A table is there once it has all rows that the last line speaks of."""
        self.assertTrue(self.programs(2, 3).is_full("MAXNPROC"))
        self.assertFalse(self.programs(2, 3).is_full("UP"))
        waiting = self.picture("  h1", place="1-2 of 2")
        self.assertFalse(waiting.is_full("MAXNPROC"))
        self.assertFalse(self.picture(place="0-0 of 0").is_full("MAXNPROC"))

    def test_figures(self) -> None:
        """A column ends where its name does, and the cursor is where its sign is."""
        picture = self.programs(2, 13, cursor=1)
        self.assertEqual(["2", "13"], picture.column("MAXNPROC", "CONN"))
        self.assertEqual(["1", "1"], picture.column("MAXNPROC", "NPROC"))
        self.assertEqual(1, picture.cursor("MAXNPROC"))

    def test_sorted(self) -> None:
        """Alerts come before all others, and either are sorted by themselves."""
        before = self.programs(2)
        for picture, wanted in (
            (self.programs(8, 8, 7), True),
            (self.programs(3, 2, 8, alerts=2), True),
            (self.programs(2, 3, 8, alerts=2), False),
            (self.programs(7, 8), False),
            (self.picture(place="1-2 of 2"), False),
        ):
            self.assertEqual(wanted, console._sorted(before, picture))

    def test_moved(self) -> None:
        """Down is done when the cursor is one row lower, and not by anything else."""
        at = [self.programs(2, 3, 4, cursor=row) for row in range(3)]
        self.assertTrue(console._cursor_moved(at[0], at[1]))
        self.assertFalse(console._cursor_moved(at[0], at[0]))
        self.assertFalse(console._cursor_moved(at[0], at[2]))


class ConsoleTests(SynchronousTestCase):
    """What follows from what a console took."""

    def found(self) -> console.Found:
        """A console that is fast, but for one key."""
        screen = {"console": 0.02, "node": 0.01, "pictures": 2.0, "written": 1500.4}
        screen |= {"received": 30_000.0, "memory": 41e6}
        return console.Found(
            screens={"programs": screen, "hosts": {**screen, "memory": 43e6}},
            keys={"taken": {"Down": [0.004], "End": [0.06, 0.02]}, "memory": 42e6},
            starts={"cpu": [0.2, 0.3, 0.25], "wall": [0.3], "memory": [40e6]},
        )

    def test_percentile(self) -> None:
        """It is a value that was seen, and few exceed it."""
        self.assertEqual(95, console.percentile(range(1, 101), 95))
        self.assertEqual(7, console.percentile([7], 95))
        self.assertEqual(2, console.percentile([2, 1], 95))

    def test_rows(self) -> None:
        """Shares, bytes a second, milliseconds and megabytes."""
        found = self.found()
        self.assertEqual(
            ["programs", "2.0%", "1.0%", "2.0", "1,500", "30,000", "41.0"],
            console.screen_row("programs", found.screens["programs"]),
        )
        self.assertEqual(
            ["End", "40.0", "60.0", "60.0", "2"],
            console.key_row("End", found.keys["taken"]["End"]),
        )
        self.assertEqual(
            ["CPU ms", "250", "300", "3"], console.start_rows(found.starts)[0]
        )

    def test_targets(self) -> None:
        """The slowest key counts, and the most memory of any console."""
        found = console.targets(self.found())
        self.assertEqual([0.02, 60.0, 0.25, 43.0], [each.found for each in found])
        self.assertIn("End", found[1].what)

    def test_left_out(self) -> None:
        """Rows that were not sent are seen to be missing."""
        found = {"rows": 3_000, "count": 4_000, "bytes": 1e6, "cpu": 0.01}
        found["waited"] = 0.02
        self.assertEqual(
            ["all", "3,000 of 4,000", "1,000,000", "10.0", "20.0"],
            console.sent_row("all", found),
        )
        self.assertEqual("4,000", console.sent_row("a", {**found, "rows": 4_000})[1])

    def test_not_to_be_had(self) -> None:
        """A view that a console does not get has a line that says so."""
        self.assertEqual("not to be had", console.json_row("pools", "no")[1])

    def test_script(self) -> None:
        """Each key is there once, all that a viewer moves about with among them."""
        names = [key.name for key in console.script(console.QUICK)]
        self.assertEqual(len(names), len(set(names)))
        for wanted in ("Down", "PgDn", "End", "2: hosts", "Enter: processes"):
            self.assertIn(wanted, names)


class RunTests(SynchronousTestCase):
    """Real runs, far too short to mean anything."""

    def run_briefly(self, name: str, *options: str) -> dict[str, object]:
        """Run a benchmark; what it left."""
        into = Path(tempfile.mkdtemp(dir="."))
        done = subprocess.run(
            [
                *(sys.executable, "-m", f"benchmarks.{name}"),
                *("--into", str(into.resolve()), *options),
            ],
            cwd=PLACE,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        left: dict[str, object] = json.loads((into / f"{name}.json").read_text("utf-8"))
        self.assertIn(str(left["header"][1]), done.stdout)  # type: ignore[index]
        return left

    def test_overhead(self) -> None:
        """What needs no rival to be installed has all its figures."""
        left = self.run_briefly(
            *("overhead", "--quick", "--starts", "1", "--rounds", "1"),
            *("--only", "connmon"),
        )
        rows: list[list[str]] = left["rows"]  # type: ignore[assignment]
        self.assertEqual(8, len(rows))
        for row in rows[2:]:
            self.assertTrue(all(row), row)

    def test_wire(self) -> None:
        """Checkouts come at their pace, and bytes are seen to pass."""
        left = self.run_briefly("wire", "--seconds", "1.5")
        rows: list[list[str]] = left["rows"]  # type: ignore[assignment]
        self.assertEqual("idle", rows[0][0])
        for row in rows[1:]:
            self.assertNotEqual("0", row[2])

    def test_mesh(self) -> None:
        """Changes are told from node to node, and a fleet that moves counts once."""
        left = self.run_briefly(
            *("mesh", "--nodes", "3", "--clients", "6"),
            *("--seconds", "1.5", "--moved", "20"),
        )
        rows: list[list[str]] = left["rows"]  # type: ignore[assignment]
        self.assertEqual(["3 nodes, idle", "3 nodes, 6"], [row[0] for row in rows])
        self.assertTrue(all(rows[1]), rows[1])
        targets: list[list[str]] = left["targets"]  # type: ignore[assignment]
        kept = [kept for what, *_, kept in targets if "processes" in what]
        self.assertEqual(["yes", "yes"], kept)

    def test_console(self) -> None:
        """A console shows all views on a terminal, and answers each key."""
        left = self.run_briefly("console", "--quick", "--look", "1", "--rounds", "1")
        rows: list[list[str]] = left["rows"]  # type: ignore[assignment]
        self.assertEqual([*console.VIEW_KEYS], [row[0] for row in rows][:4])
        for row in rows:
            self.assertTrue(all(row), row)
        raw: dict[str, Any] = left["raw"]  # type: ignore[assignment]
        for each in raw["json"].values():
            self.assertGreater(each["rows"], 0)
        window, whole = (
            next(each for name, each in raw["sent"].items() if part in name)
            for part in ("checkouts, a screen", "checkouts, all, 1,000")
        )
        self.assertLess(window["rows"], whole["rows"])
