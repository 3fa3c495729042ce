"""The rows of a frame: what their cells say, how they look, and where they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console import columns
from connmon.console.choices import Choices
from connmon.console.place import Place
from connmon.console.table import Table, empty, table, text_lines
from connmon.console.text import ASCII, UNICODE, Glyphs, Line, Style
from connmon.views.frame import Frame
from connmon.views.schema import (
    CHECKOUTS,
    CONNECTIONS,
    EVENTS,
    HOSTS,
    NODES,
    POOLS,
    PROCESSES,
    PROGRAMS,
    SITES,
    VIEWS,
)
from tests.console.fakes import plain, widest
from tests.console.frames import (
    FRAMES,
    a_frame,
    a_program,
    a_row,
    any_frames,
    departed,
    nodes,
    tree,
    troubled,
)

QUICK = settings(deadline=None, max_examples=150, database=None)


def seen(
    frame: Frame,
    *,
    place: Place | None = None,
    choices: Choices | None = None,
    room: int = 80,
    page: int = 20,
    most: Mapping[str, int] | None = None,
    glyphs: Glyphs = UNICODE,
    time: float | None = None,
) -> Table:
    """Return the table that a window shows."""
    choices = choices or Choices()
    return table(
        frame,
        place or Place(frame.view),
        choices,
        columns.manner_of(frame, choices, glyphs, time),
        room=room,
        page=page,
        most=most or {},
    )


def cells(line: Line) -> dict[str, Style]:
    """Return how each piece of a line looks, by what it says."""
    return {said.strip(): style for style, said in line}


EIGHT = {"progname": 17}
"""A width of names that leaves a bar of eight cells in a window of 80."""


def values(shown: Table, line: int = 0) -> list[str]:
    """Return what a row says, by words."""
    return plain([shown.lines[line]])[0].split()


class WindowTests(SynchronousTestCase):
    """Which rows are seen, and the one under the cursor."""

    FRAME = a_frame(PROGRAMS, [a_program("h", f"p{n}") for n in range(30)])

    def test_at_first(self) -> None:
        """Without a selection the cursor is on the first row, whichever it is."""
        shown = seen(self.FRAME, page=5)
        self.assertEqual((0, 5, 30, 0), _window(shown))
        self.assertEqual("p0", (shown.selected or {})["progname"])
        self.assertEqual(["p0", "p1", "p2", "p3", "p4"], _programs(shown))

    def test_it_follows_its_row(self) -> None:
        """The cursor is on the selected row, on the line it was on."""
        place = Place(selected=("h", "p12"), line=3, first=1)
        shown = seen(self.FRAME, place=place, page=5)
        self.assertEqual((9, 14, 30, 12), _window(shown))
        self.assertEqual("p12", (shown.selected or {})["progname"])
        styles = [line[0][0] for line in shown.lines]
        self.assertEqual([3], [n for n, s in enumerate(styles) if s is Style.SELECTED])

    def test_a_row_that_is_gone(self) -> None:
        """Its place is kept by the row that took it."""
        place = Place(selected=("h", "gone"), line=2, first=4)
        self.assertEqual((4, 9, 30, 6), _window(seen(self.FRAME, place=place, page=5)))

    def test_a_window_of_rows(self) -> None:
        """Of the rows held, those around the cursor are seen, by their true places."""
        held = replace(self.FRAME, rows=self.FRAME.rows[10:25], first=10)
        place = Place(selected=("h", "p20"), line=0, first=20)
        self.assertEqual((20, 25, 30, 20), _window(seen(held, place=place, page=5)))
        place = Place(selected=("h", "p24"), line=0, first=24)
        self.assertEqual((20, 25, 30, 24), _window(seen(held, place=place, page=5)))
        aimed = Place(target=29)
        self.assertEqual((20, 25, 30, 24), _window(seen(held, place=aimed, page=5)))
        self.assertEqual((10, 15, 30, 10), _window(seen(held, page=5)))

    def test_no_row(self) -> None:
        """An empty table has no cursor."""
        shown = seen(a_frame(PROGRAMS))
        self.assertEqual((0, 0, 0, None), _window(shown))
        self.assertEqual([], shown.lines)
        self.assertIsNone(shown.selected)

    def test_scrolling_moves_nothing_sideways(self) -> None:
        """With the widths of all rows the heading is the same wherever one is."""
        frame = FRAMES[PROGRAMS]
        most = columns.widest(frame, Choices(), UNICODE)
        headings = {
            seen(frame, place=Place(selected=_key(frame, n)), page=5, most=most).heading
            for n in range(len(frame.rows))
        }
        self.assertEqual(1, len(headings))


class ProgramTests(SynchronousTestCase):
    """The rows of programs."""

    def test_a_row(self) -> None:
        """Each figure as it is read at a glance; what is not known is a dash."""
        shown = seen(a_frame(PROGRAMS, troubled()), room=160)
        self.assertEqual(
            "!>ctl1 nova-api STUCK 8 63 45 9 66 75 5+10 ━━━━━━━━━━ 100% 7 2.9s 38.2s "
            "31.0s 12.0 0 0.4 ▃▅▆▇▆▄▂▁▃▅",
            " ".join(values(shown)),
        )
        self.assertEqual(["*", "bill7"], values(shown, 1)[:2])

    def test_alerts(self) -> None:
        """A sign, and the figures it is about; calm ones are left alone."""
        frame = a_frame(PROGRAMS, troubled())
        place = Place(selected=_key(frame, 4))
        crit, warn = seen(frame, place=place, room=160).lines[:2]
        self.assertEqual((Style.CRIT, "!"), crit[0])
        self.assertEqual((Style.WARN, "*"), warn[0])
        looks = cells(crit)
        for said, style in (
            ("STUCK", Style.CRIT),
            ("100%", Style.CRIT),
            ("7", Style.CRIT),
            ("12.0", Style.CRIT),
            ("2.9s", Style.WARN),
            ("38.2s", Style.WARN),
            ("31.0s", Style.WARN),
            ("63", Style.PLAIN),
            ("nova-api", Style.PLAIN),
        ):
            self.assertIs(style, looks[said], said)
        looks = cells(warn)
        self.assertIs(Style.WARN, looks["80%"])
        self.assertIs(Style.WARN, looks["6m52s"])
        self.assertIs(Style.PLAIN, looks["43"])
        self.assertIs(Style.BAR_WARN, looks["━━━━━━━━"])
        self.assertIs(Style.BAR_CRIT, cells(crit)["━━━━━━━━━━"])

    def test_no_alert_no_colour(self) -> None:
        """The node judges: what it finds in order is not coloured here."""
        row = a_program(pool_worst=0.99, oldest_seconds=99.0, waiting=0)
        frame = a_frame(PROGRAMS, [departed(), row])
        styles = {style for style, _ in seen(frame).lines[1]}
        self.assertEqual({Style.PLAIN, Style.BAR, Style.QUIET}, styles)

    def test_zeros_are_dim(self) -> None:
        """What need not be read is not; names are never dim."""
        row = a_program("0", "0", ckout=0, pool_worst=0.0, oldest_seconds=None)
        line = seen(a_frame(PROGRAMS, [a_program(), row]), most=EIGHT).lines[1]
        names = [style for style, said in line if said.strip() == "0"]
        self.assertEqual([Style.PLAIN] * 2 + [Style.QUIET], names)
        looks = cells(line)
        self.assertIs(Style.QUIET, looks["0%"])
        self.assertIs(Style.QUIET, looks["-"])
        self.assertIs(Style.QUIET, looks["────────"])

    def test_departed(self) -> None:
        """It says so in a word at every width, and since when where there is room."""
        for name in columns.sets(PROGRAMS):
            choices = Choices(sets={PROGRAMS: name})
            frame = a_frame(PROGRAMS, [a_program(), departed()])
            for room in range(30, 170):
                said = plain(seen(frame, choices=choices, room=room).lines)[1]
                self.assertIn("gone", said.split(), (name, room))
        line = seen(frame).lines[1]
        self.assertIs(Style.GONE, cells(line)["gone 2h01m"])
        self.assertIs(Style.PLAIN, cells(line)["etl-nightly"])

    def test_stale(self) -> None:
        """So does one that is not heard; its figures look old, its name does not."""
        row = a_program(nproc=16, stale=16, stale_seconds=11.04, alert="warn")
        frame = a_frame(PROGRAMS, [a_program(), row])
        for name in columns.sets(PROGRAMS):
            choices = Choices(sets={PROGRAMS: name})
            for room in range(30, 170):
                said = plain(seen(frame, choices=choices, room=room).lines)[1]
                self.assertIn("stale", said.split(), (name, room))
        looks = cells(seen(frame).lines[1])
        self.assertIs(Style.WARN, looks["stale 11.0s"])
        self.assertIs(Style.STALE, looks["17"])
        self.assertIs(Style.PLAIN, looks["nova-api"])

    def test_stale_in_part(self) -> None:
        """How many are stale is said beside the fullest pool of the others."""
        row = a_program(nproc=8, stale=2, stale_seconds=4.0, pool_worst=0.87)
        frame = a_frame(PROGRAMS, [a_program(), row])
        self.assertIn("2 stale   87%", plain(seen(frame, most=EIGHT).lines)[1])
        maxima = Choices(sets={PROGRAMS: "max"})
        self.assertIn(" 2 stale ", plain(seen(frame, choices=maxima).lines)[1])
        self.assertIs(Style.PLAIN, cells(seen(frame).lines[1])["17"])
        many = a_program(nproc=50_000, stale=12_345, pool_worst=0.87)
        line = plain(seen(a_frame(PROGRAMS, [many]), most=EIGHT).lines)[0]
        self.assertIn(" stale     87%", line)
        unbound = a_program(nproc=8, stale=2, stale_seconds=4.0, pool_worst=None)
        line = plain(seen(a_frame(PROGRAMS, [unbound])).lines)[0]
        self.assertIn(" 2 stale 4.0s ", line)

    def test_limits(self) -> None:
        """Size and overflow, if all pools agree; an overflow may have no bound."""
        wait = Choices(sets={PROGRAMS: "wait"})
        for size, overflow, capacity, said, ascii_said in (
            (5, 10, 45, "5+10", "5+10"),
            (5, 0, 15, "5+0", "5+0"),
            (10, None, None, "10+∞", "10+inf"),
            (10, -1, None, "10+∞", "10+inf"),
            (5, None, 45, "5+?", "5+?"),
            (None, None, None, "-", "-"),
        ):
            row = a_program(
                pool_size=size,
                max_overflow=overflow,
                capacity=capacity,
                leaks=1,
                full=1,
                timeouts=1,
            )
            frame = a_frame(PROGRAMS, [row])
            for glyphs, expected in ((UNICODE, said), (ASCII, ascii_said)):
                shown = seen(frame, choices=wait, room=160, glyphs=glyphs)
                self.assertIn(expected, values(shown)[3:6])

    def test_names_are_cut_in_the_middle(self) -> None:
        """What tells two of them apart is often at the end."""
        frame = a_frame(PROGRAMS, [a_program(program="keystone-wsgi-public-long")])
        self.assertIn(" keystone…lic-long ", plain(seen(frame).lines)[0])

    def test_lines_of_the_application_are_cut_at_their_beginning(self) -> None:
        """At any width the number and the function are seen, in plain text, too."""
        site = "nova/db/sqlalchemy/api.py:412 instance_get_all"
        frame = FRAMES[CHECKOUTS]
        for room in range(60, 200):
            shown = plain(seen(frame, room=room).lines)
            written = plain(text_lines(frame, room, Choices(), UNICODE))[1:]
            for line in (shown[0], written[2]):
                _, cut, end = line.rstrip().rpartition("…")
                self.assertTrue(site in line or (cut and site.endswith(end)), line)
                self.assertIn("instance_get_all", line)

    def test_short_names(self) -> None:
        """Hosts are cut at their first dot if wanted, addresses never."""
        short = Choices(short_names=True)
        for host, said in (
            ("ctl1.prod.example.net", ">ctl1"),
            ("192.168.1.17", ">192.168.1.17"),
            ("fe80::1.2", ">fe80::1.2"),
            (".x", ">.x"),
        ):
            frame = a_frame(PROGRAMS, [a_program(host)])
            self.assertEqual(said, values(seen(frame, choices=short, room=120))[0])
        short = Choices(short_names=True, sets={SITES: "names"})
        said = plain(seen(FRAMES[SITES], choices=short, room=160).lines)[0]
        self.assertIn(" ctl1, ctl2 ", said)

    def test_exact(self) -> None:
        """Durations are in plain seconds if wanted."""
        frame = a_frame(PROGRAMS, [a_program(oldest_seconds=412.0)])
        self.assertIn("6m52s", values(seen(frame)))
        self.assertIn("412.0s", values(seen(frame, choices=Choices(exact=True))))


class CursorTests(SynchronousTestCase):
    """The row under the cursor."""

    def test_looks(self) -> None:
        """It is marked over all of the window, and what is critical still looks so."""
        line = seen(a_frame(PROGRAMS, troubled()), room=200).lines[0]
        self.assertEqual({Style.SELECTED, Style.CRIT}, {style for style, _ in line})
        self.assertEqual(200, sum(len(said) for _, said in line))
        self.assertEqual("!>", line[0][1] + line[1][1][:1])
        critical = [said.strip() for style, said in line if style is Style.CRIT]
        self.assertEqual(["STUCK", "100%", "7", "12.0"], critical)


class HeadingTests(SynchronousTestCase):
    """The line over the columns."""

    def heading(self, sort: str, room: int = 80, glyphs: Glyphs = UNICODE) -> Line:
        """Return it for rows sorted like that."""
        choices = Choices(sorts={PROGRAMS: sort})
        return seen(
            FRAMES[PROGRAMS], choices=choices, room=room, glyphs=glyphs, page=5
        ).heading

    def test_the_sorted_column(self) -> None:
        """A sign is beside its name, which looks otherwise, and nothing moves."""
        for sort, said in (
            ("hostname", "HOST▾"),
            ("-hostname", "HOST▴"),
            ("-conn", "▾CONN"),
            ("conn", "▴CONN"),
            ("-ckoutpersec", "▾CKOUT/s"),
            ("-pool_worst", "POOL worst▾"),
            ("-maxconn", ""),
        ):
            line = self.heading(sort)
            chosen = [text.strip() for style, text in line if style is Style.CHOSEN]
            self.assertEqual([said] if said else [], chosen)
            self.assertEqual(80, widest([line]))
            text = plain([line])[0]
            for sign in "▾▴":
                text = text.replace(sign, " ")
            self.assertEqual(plain([self.heading("-maxconn")])[0], text.rstrip())

    def test_an_order_that_no_heading_tells(self) -> None:
        """It is told apart, if it was chosen and its column is not there."""
        for sort, said in (
            ("-maxconn", "MAXCONN ▾"),
            ("maxconn", "MAXCONN ▴"),
            ("-conn", ""),
            ("", ""),
            ("nosuch", ""),
        ):
            choices = Choices(sorts={PROGRAMS: sort} if sort else {})
            shown = seen(FRAMES[PROGRAMS], choices=choices, room=80)
            self.assertEqual(said, shown.order)
        choices = Choices(sorts={PROGRAMS: "-maxconn"}, sets={PROGRAMS: "max"})
        self.assertEqual("", seen(FRAMES[PROGRAMS], choices=choices, room=80).order)

    def test_ascii(self) -> None:
        """The signs have stand-ins."""
        self.assertIn("HOSTv ", plain([self.heading("hostname", glyphs=ASCII)])[0])
        self.assertIn(" ^CONN ", plain([self.heading("conn", glyphs=ASCII)])[0])

    def test_every_width_and_sort(self) -> None:
        """Wherever the sign is, the line fits exactly."""
        for view in VIEWS:
            for name in columns.sortable(view, "now"):
                choices = Choices(sorts={view: f"-{name}"})
                for room in range(1, 100):
                    line = seen(FRAMES[view], choices=choices, room=room).heading
                    self.assertEqual(room, widest([line]), (view, name))

    def test_without_a_frame(self) -> None:
        """There is a heading before there is anything under it."""
        line = empty(Place(), Choices(), 80, UNICODE)
        self.assertTrue(plain([line])[0].startswith("  HOST▾    PROGRAM "))
        self.assertEqual(80, widest([line]))


class TreeTests(SynchronousTestCase):
    """Programs below their hosts."""

    TREE = Choices(tree=True)

    def test_branches(self) -> None:
        """A host, its programs, and the last of them; each host is named once."""
        shown = seen(a_frame(PROGRAMS, tree()), choices=self.TREE)
        said = [line[:28].rstrip() for line in plain(shown.lines)]
        self.assertEqual(
            [
                "*>bill7    1 program",
                "*          └─ billing-worker",
                "  ctl1     3 programs",
                "           ├─ cinder-api",
                "           ├─ keyston…public",
                "!          └─ nova-api",
            ],
            said,
        )

    def test_ascii(self) -> None:
        """The branches have stand-ins."""
        shown = seen(a_frame(PROGRAMS, tree()), choices=self.TREE, glyphs=ASCII)
        said = plain(shown.lines)
        self.assertIn(" |- cinder-api", said[3])
        self.assertIn(" `- nova-api", said[5])

    def test_a_window_within(self) -> None:
        """At the top of a window the host is named again; the margin tells the end."""
        frame = a_frame(PROGRAMS, tree())
        place = Place(selected=("ctl1", "cinder-api"), line=0, first=3)
        said = plain(seen(frame, choices=self.TREE, place=place, page=2).lines)
        self.assertIn("ctl1     ├─ cinder-api", said[0])
        self.assertIn("           ├─ keyston", said[1])
        place = Place(selected=("bill7", "billing-worker"), line=0, first=1)
        said = plain(seen(frame, choices=self.TREE, place=place, page=1).lines)
        self.assertIn("bill7    └─ billing-worker", said[0])
        more = replace(frame, count=9)
        place = Place(selected=("ctl1", "nova-api"), line=0, first=5)
        said = plain(seen(more, choices=self.TREE, place=place, page=1).lines)
        self.assertIn("ctl1     ├─ nova-api", said[0])

    def test_rows_without_hosts(self) -> None:
        """Rows as they were before the tree was asked for stay as they are."""
        frame = a_frame(PROGRAMS, [a_program(), a_program("ctl2")])
        self.assertEqual(seen(frame).lines, seen(frame, choices=self.TREE).lines)

    def test_looks(self) -> None:
        """How many programs there are is no name, and dim."""
        shown = seen(a_frame(PROGRAMS, tree()), choices=self.TREE)
        self.assertIs(Style.QUIET, cells(shown.lines[2])["3 programs"])
        self.assertIs(Style.PLAIN, cells(shown.lines[5])["└─ nova-api"])


class ViewTests(SynchronousTestCase):
    """The rows of the other views."""

    def test_hosts(self) -> None:
        """A host has gone if all of it has."""
        said = plain(seen(FRAMES[HOSTS], room=100).lines)
        self.assertTrue(said[0].startswith("!>ctl1 "))
        self.assertIn(" stale 11.0s ", said[1])
        self.assertIn(" gone 2h01m ", said[2])

    def test_processes(self) -> None:
        """One of a node that is not heard is stale."""
        said = plain(seen(FRAMES[PROCESSES]).lines)
        self.assertIn(" 11200 ", said[0])
        self.assertIn(" stale 11.0s ", said[5])

    def test_large_numbers(self) -> None:
        """Of what a number stands for each digit is there."""
        row = a_row(PROCESSES, pid=4_194_303, conn=1_234_567)
        self.assertEqual(
            ["4194303", "1.2M"], _these(values(seen(a_frame(PROCESSES, [row]))), 2)
        )

    def test_pools(self) -> None:
        """A pool without a bound has no bar."""
        said = plain(seen(FRAMES[POOLS], room=100).lines)
        self.assertIn("━━━━━━━ 100%", said[0])
        self.assertIn("5+10", said[0])
        self.assertIn("10+∞", said[1])
        config = Choices(sets={POOLS: "config"})
        said = plain(seen(FRAMES[POOLS], choices=config, room=160).lines)
        self.assertIn(" yes ", said[0])
        self.assertIn(" no ", said[1])
        self.assertIn("AsyncAdaptedQueuePool", said[1])

    def test_connections(self) -> None:
        """What is out for long stands out; one of a stale process says so."""
        lines = seen(FRAMES[CONNECTIONS], place=Place(CONNECTIONS, line=0)).lines
        looks = cells(lines[1])
        self.assertIs(Style.WARN, looks["33.2s"])
        self.assertIs(Style.PLAIN, looks["out"])
        self.assertIs(Style.WARN, cells(lines[5])["stale"])
        self.assertIs(Style.STALE, cells(lines[5])["13.2s"])
        said = plain(seen(FRAMES[CHECKOUTS], room=120).lines)
        self.assertIn(" stale ", said[5])

    def test_events(self) -> None:
        """The time of day, the date if that was before today, and about whom."""
        shown = seen(FRAMES[EVENTS], room=120, time=1_700_000_000.0)
        said = [" ".join(line.split()[:5]) for line in plain(shown.lines)]
        self.assertRegex(said[0], r"^!>\d\d:\d\d:\d\d crit ctl1 nova-api\[11200\] ")
        self.assertRegex(said[1], r"^\* \d\d:\d\d:\d\d warn ctl1 nova-api$")
        self.assertRegex(said[2], r"^\* \d\d:\d\d:\d\d warn - node1")
        self.assertRegex(said[4], r"^\d\d-\d\d \d\d:\d\d info ctl1 ")
        self.assertIs(Style.WARN, cells(shown.lines[1])["warn"])
        said = [line.split()[0] for line in plain(seen(FRAMES[EVENTS]).lines)]
        self.assertEqual("!>3.0s", said[0])

    def test_impossible_times(self) -> None:
        """A time that no calendar has is not known."""
        row = a_row(EVENTS, age_seconds=1e300, severity="info", text="x")
        shown = seen(a_frame(EVENTS, [row]), time=0.0)
        self.assertEqual([">-", "info"], values(shown)[:2])


class NodesTests(SynchronousTestCase):
    """The rows of nodes, and what is said below them."""

    def test_states_look_different(self) -> None:
        """The word says it; calm of one that is silent, loud of one out of reach."""
        for state, sign, style in (
            ("up", " ", Style.GOOD),
            ("stale", "*", Style.WARN),
            ("unreachable", "!", Style.CRIT),
            ("refused", "!", Style.CRIT),
        ):
            rows = [a_row(NODES, node="a"), a_row(NODES, node="b", state=state)]
            line = seen(a_frame(NODES, rows)).lines[1]
            self.assertEqual(sign, line[0][1])
            self.assertIs(style, cells(line)[state])

    def test_reasons_are_readable(self) -> None:
        """With room for it, whole below the node, broken at blanks."""
        for room in (40, 80, 120, 160):
            said = " ".join(
                " ".join(line.split())
                for line in plain(seen(FRAMES[NODES], room=room, page=30).lines)
            )
            self.assertIn("refused; node2 does not hear it either", said)
            self.assertIn("its node list differs: node3 is at 192.168.1.217", said)
            self.assertLessEqual(widest(seen(FRAMES[NODES], room=room).lines), room)

    def test_many_nodes(self) -> None:
        """Where lines are short, each node has one, remarks at its end."""
        rows = [
            a_row(NODES, node=f"n{n}", address="h:1", state="up", remarks=("odd", "so"))
            for n in range(20)
        ]
        frame = a_frame(NODES, rows)
        shown = seen(frame, page=19)
        self.assertEqual(19, len(shown.lines))
        said = plain(shown.lines)[1:]
        self.assertTrue(all(line.endswith(" odd; so") for line in said), said)
        shown = seen(frame, page=39)
        self.assertEqual(20, len(shown.lines))
        self.assertEqual(60, len(seen(frame, page=60).lines))

    def test_columns_do_not_depend_on_reasons(self) -> None:
        """A node that goes down moves no column away."""
        down = {"state": "unreachable", "reason": "x" * 99}
        for room in (80, 120, 160):
            some = [
                seen(a_frame(NODES, [a_row(NODES, node="a", **of)]), room=room)
                for of in ({"state": "up", "reason": ""}, down)
            ]
            self.assertEqual(some[0].heading, some[1].heading)

    def test_its_own(self) -> None:
        """The node that the console looks through is told apart by words."""
        said = plain(seen(FRAMES[NODES]).lines)
        self.assertTrue(said[0].endswith(" this console"))
        self.assertFalse(any("this console" in line for line in said[1:]))


class TextTests(SynchronousTestCase):
    """All rows as text."""

    def test_programs(self) -> None:
        """Nothing is drawn, and what is wrong is in words at the end of its row."""
        said = plain(text_lines(FRAMES[PROGRAMS], None, Choices(), UNICODE))
        self.assertEqual(1 + len(FRAMES[PROGRAMS].rows), len(said))
        self.assertEqual(
            "HOST PROGRAM STATE NPROC CONN CKOUT MAXNPROC MAXCONN MAXCKOUT SIZE+OV "
            "POOL worst WAIT Wp99 OLDEST TXN TMO/m INV/s CKOUT/s ALERT",
            " ".join(said[0].split()),
        )
        self.assertEqual(
            "ctl1 nova-api STUCK 8 63 45 9 66 75 5+10 100% 7 2.9s 38.2s 31.0s 12.0 0 "
            "0.4 crit: 7 waiting, pool full in 3 of 8 processes, oldest checkout 38s",
            " ".join(said[1].split()),
        )
        self.assertIn(" 87% ", said[3])
        self.assertIn(" stale 11.0s ", said[4])
        self.assertIn(" gone 2h01m ", said[5])
        self.assertTrue(said[-1].startswith("compute-node-0117.rack12.prod.example"))

    def test_without_alerts(self) -> None:
        """While all is well there is no column for it."""
        frame = a_frame(PROGRAMS, [a_program()])
        self.assertNotIn("ALERT", plain(text_lines(frame, None, Choices(), UNICODE))[0])

    def test_a_width(self) -> None:
        """With a width it is kept to."""
        for view, frame in FRAMES.items():
            for width in (1, 40, 80, 132):
                lines = text_lines(frame, width, Choices(), UNICODE)
                self.assertLessEqual(widest(lines), width, view)
        maxima = Choices(sets={PROGRAMS: "max"})
        said = plain(text_lines(FRAMES[PROGRAMS], 80, maxima, UNICODE))
        self.assertEqual("stale", said[4].split()[2])

    def test_nodes(self) -> None:
        """Remarks are in lines of their own."""
        said = plain(text_lines(FRAMES[NODES], None, Choices(), UNICODE))
        self.assertEqual(1 + len(nodes()) + 1, len(said))
        self.assertTrue(said[3].startswith("    its node list differs: "))
        self.assertTrue(said[4].endswith("node2 does not hear it either"))

    def test_events(self) -> None:
        """Times of day need to be told what time it is."""
        said = plain(text_lines(FRAMES[EVENTS], None, Choices(), UNICODE, 1.7e9))
        self.assertRegex(said[1], r"^\d\d:\d\d:\d\d    crit ctl1")
        self.assertTrue(said[1].endswith("4 waiting"))

    @QUICK
    @given(
        st.sampled_from(list(VIEWS)).flatmap(any_frames),
        st.none() | st.integers(1, 200),
        st.sampled_from([UNICODE, ASCII]),
        st.booleans(),
    )
    def test_any_frame(
        self, frame: Frame, width: int | None, glyphs: Glyphs, tree: bool
    ) -> None:
        """Whatever is in a frame, its text is printable, and has all rows."""
        lines = text_lines(frame, width, Choices(tree=tree), glyphs, 1.7e9)
        text = "".join(plain(lines))
        self.assertTrue(text.isprintable())
        self.assertTrue(glyphs is UNICODE or text.isascii(), text)
        self.assertGreater(len(lines), len(frame.rows))
        if width is not None:
            self.assertLessEqual(widest(lines), width)


def _window(shown: Table) -> tuple[int, int, int, int | None]:
    window = shown.window
    return window.first, window.last, window.count, window.cursor


def _programs(shown: Table) -> list[str]:
    return [
        each for line in plain(shown.lines) for each in line.split() if each[0] == "p"
    ]


def _key(frame: Frame, number: int) -> tuple[Any, ...]:
    return frame.rows[number][:2]


def _these(said: list[str], count: int) -> list[str]:
    return [each for each in said if each[0].isdigit()][:count]
