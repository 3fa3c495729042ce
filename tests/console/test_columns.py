"""Which columns are shown, and how wide each of them is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console import columns
from connmon.console.choices import Choices
from connmon.console.column import ELASTIC, FILLING, column
from connmon.console.text import ASCII, UNICODE
from connmon.views.schema import (
    CHECKOUTS,
    CONNECTIONS,
    EVENTS,
    HOSTS,
    NODES,
    POOLS,
    PROCESSES,
    PROGRAMS,
    TIMEOUTS,
    VIEWS,
    Kind,
)
from tests.console.frames import FRAMES, a_frame, a_program, departed

QUICK = settings(deadline=None, max_examples=200, database=None)

ORIGINAL = "hostname progname nproc conn ckout maxnproc maxconn maxckout ckoutpersec"

EVERY = [(view, name) for view in VIEWS for name in columns.sets(view)]


def dropped(view: str, set_name: str) -> list[str]:
    """What is left out one after the other as the width shrinks."""
    needs = columns.widest(FRAMES[view], Choices(sets={view: set_name}), UNICODE)
    shown = [
        set(columns.visible(view, set_name, needs, width))
        for width in range(300, 0, -1)
    ]
    gone: list[str] = []
    for before, after in pairwise(shown):
        gone += sorted(before - after - set(gone))
    return gone


class SetsTests(SynchronousTestCase):
    """The sets of columns."""

    def test_names(self) -> None:
        """Each view has some; those of the programs are in the order one needs them."""
        self.assertEqual(("now", "max", "wait", "totals"), columns.sets(PROGRAMS))
        for view in VIEWS:
            self.assertEqual("now", columns.sets(view)[0])

    def test_the_original(self) -> None:
        """The original's nine columns are a set, and fit into its width."""
        self.assertEqual(
            ORIGINAL.split(),
            [each.name for each in columns.columns(PROGRAMS, "max")],
        )
        large = dict.fromkeys(ORIGINAL.split()[2:], 9_999)
        rows = [
            a_program("compute-node-0117.rack12", "keystone-wsgi-public", **large),
            a_program(stale=1, stale_seconds=3.0),
            departed(),
        ]
        needs = columns.widest(
            a_frame(PROGRAMS, rows), Choices(sets={PROGRAMS: "max"}), UNICODE
        )
        shown = columns.visible(PROGRAMS, "max", needs, 80)
        self.assertEqual(ORIGINAL.split(), list(shown))
        self.assertLessEqual(sum(shown.values()) + 8 + columns.GUTTER, 80)

    def test_all_fields_exist(self) -> None:
        """A column is of a field of its view, and named as that is, or nearly so."""
        for view, name in EVERY:
            for each in columns.columns(view, name):
                field = VIEWS[view].field(each.name)
                assert field is not None
                self.assertEqual(field.name, each.name)
                self.assertTrue(each.heading.isascii())

    def test_each_figure_has_a_column(self) -> None:
        """What a view tells of a row is in one of its sets, marks and ids aside."""
        marks = {
            "alert",
            "reason",
            "connected",
            "gone_seconds",
            "stale",
            "stale_seconds",
            "max_overflow",
            "process",
            "pool_id",
            "remarks",
            "programs",
            "origin",
            "sequence",
        }
        for view, described in VIEWS.items():
            there = {
                each.name
                for name in columns.sets(view)
                for each in columns.columns(view, name)
            }
            every = {each.name for each in described.fields}
            told = {
                EVENTS: {"pid"},  # with the program
                TIMEOUTS: {"pid", "tag"},
                CHECKOUTS: {"state", "idle_seconds", "connection"},  # all are out
            }
            self.assertEqual(set(), every - there - marks - told.get(view, set()), view)

    def test_an_unknown_set(self) -> None:
        """A set that another version kept is the default here."""
        choices = Choices(sets={PROGRAMS: "of tomorrow"})
        self.assertEqual("now", columns.chosen(PROGRAMS, choices))
        self.assertEqual(
            "max", columns.chosen(PROGRAMS, Choices(sets={PROGRAMS: "max"}))
        )
        self.assertEqual(
            columns.columns(PROGRAMS, "now"), columns.columns(PROGRAMS, "of tomorrow")
        )

    def test_what_to_ask_for(self) -> None:
        """The columns' fields, the key, and what marks a row, in the view's order."""
        for view, name in EVERY:
            wanted = columns.fields(view, name)
            every = [each.name for each in VIEWS[view].fields]
            self.assertEqual(sorted(wanted, key=every.index), list(wanted))
            self.assertLessEqual(set(VIEWS[view].key), set(wanted))
        wanted = columns.fields(PROGRAMS, "max")
        for mark in ("alert", "connected", "gone_seconds", "stale", "stale_seconds"):
            self.assertIn(mark, wanted)
        self.assertIn("programs", wanted)
        self.assertNotIn("history", wanted)
        self.assertIn("max_overflow", columns.fields(PROGRAMS, "wait"))
        self.assertIn("remarks", columns.fields(NODES, "now"))
        self.assertIn("pid", columns.fields(EVENTS, "now"))

    def test_scope(self) -> None:
        """What is the same in all rows has no column."""
        names = [
            each.name
            for each in columns.columns(
                PROCESSES, "now", (("hostname", "ctl1"), ("progname", "nova-api"))
            )
        ]
        self.assertEqual("pid", names[0])
        names = [
            each.name
            for each in columns.columns(
                CONNECTIONS, "now", (("process", "token0"), ("pool_id", 1))
            )
        ]
        self.assertEqual("connection", names[0])

    def test_sortable(self) -> None:
        """One sorts by all columns but drawings of a series."""
        names = columns.sortable(PROGRAMS, "now")
        self.assertIn("pool_worst", names)
        self.assertNotIn("history", names)
        for view, name in EVERY:
            for each in columns.sortable(view, name):
                field = VIEWS[view].field(each)
                assert field is not None
                self.assertIsNot(Kind.SERIES, field.kind)


class SortTests(SynchronousTestCase):
    """What rows are sorted by, and how that is marked."""

    def test_default(self) -> None:
        """Until somebody chooses, it is the view's own order."""
        self.assertEqual("hostname", columns.sort(PROGRAMS, Choices()))
        self.assertEqual("-out_seconds", columns.sort(CONNECTIONS, Choices()))
        self.assertEqual("", columns.sort(NODES, Choices()))
        chosen = Choices(sorts={PROGRAMS: "-conn"})
        self.assertEqual("-conn", columns.sort(PROGRAMS, chosen))

    def test_natural(self) -> None:
        """Names from A on, the largest figure first, the newest event first."""
        for view, name, order in (
            (PROGRAMS, "hostname", "hostname"),
            (PROGRAMS, "conn", "-conn"),
            (PROGRAMS, "pool_worst", "-pool_worst"),
            (PROGRAMS, "pool_size", "-pool_size"),
            (EVENTS, "age_seconds", "age_seconds"),
            (CONNECTIONS, "age_seconds", "-age_seconds"),
            (CONNECTIONS, "state", "state"),
        ):
            self.assertEqual(order, columns.natural(view, name))

    def test_sign(self) -> None:
        """It points down for the natural order, and up for the other."""
        for sort, sign in (
            ("hostname", "▾v"),
            ("-hostname", "▴^"),
            ("-conn", "▾v"),
            ("conn", "▴^"),
        ):
            self.assertEqual(sign[0], columns.sign(PROGRAMS, sort, UNICODE))
            self.assertEqual(sign[1], columns.sign(PROGRAMS, sort, ASCII))


class WidthTests(SynchronousTestCase):
    """How a width is shared."""

    def test_the_mockups(self) -> None:
        """What there is at 80 and at 160 cells is what was drawn beforehand."""
        needs = columns.widest(FRAMES[PROGRAMS], Choices(), UNICODE)
        needs["hostname"] = 8
        self.assertEqual(
            {
                "hostname": 8,
                "progname": 17,
                "state": 5,
                "conn": 5,
                "ckout": 5,
                "pool_worst": 13,
                "waiting": 4,
                "oldest_seconds": 6,
                "ckoutpersec": 7,
            },
            columns.visible(PROGRAMS, "now", needs, 80),
        )
        wide = columns.visible(PROGRAMS, "now", needs, 160)
        self.assertEqual(
            [each.name for each in columns.columns(PROGRAMS, "now")], list(wide)
        )
        self.assertEqual(20, wide["progname"])
        self.assertEqual(14, wide["pool_worst"])
        self.assertEqual(10, wide["history"])
        narrow = columns.visible(PROGRAMS, "now", needs, 50)
        self.assertEqual(
            ["hostname", "progname", "state", "ckout", "waiting", "ckoutpersec"],
            list(narrow),
        )
        self.assertEqual(14, narrow["progname"])
        self.assertEqual(
            "hostname progname state ckout pool_worst waiting wait_p99_seconds "
            "oldest_seconds txn_seconds",
            " ".join(columns.visible(PROGRAMS, "wait", needs, 80)),
        )

    def test_order_of_dropping(self) -> None:
        """The maxima go first; host, program and checkouts never go."""
        gone = dropped(PROGRAMS, "now")
        self.assertEqual(
            "maxnproc maxconn maxckout invalidations_per_second history "
            "timeouts_per_minute pool_size wait_p99_seconds txn_seconds nproc conn "
            "oldest_seconds pool_worst ckoutpersec waiting state",
            " ".join(sorted(gone, key=gone.index)),
        )
        self.assertEqual(
            ["maxnproc", "maxconn", "maxckout", "nproc", "conn", "ckoutpersec"],
            dropped(PROGRAMS, "max"),
        )

    def test_who_and_how_bad_never_go(self) -> None:
        """However narrow the window is, each view keeps what it is about."""
        for view, kept in (
            (PROGRAMS, {"hostname", "progname", "ckout"}),
            (HOSTS, {"hostname", "ckout"}),
            (NODES, {"node", "state"}),
            (EVENTS, {"age_seconds", "text"}),
        ):
            self.assertEqual(kept, set(columns.visible(view, "now", {}, 1)))

    def test_whose_it_is_at_80_cells(self) -> None:
        """However long names are, a pool has its program, a checkout its thread, too.

        One that is the same in all rows, as one has drilled down to it, is left out.
        """
        needs = {"hostname": 40, "progname": 40, "pool_name": 60, "owner": 40}
        needs |= {"pid": 7, "state": 11, "site": 90, "txn_seconds": 6}
        of_a_program = (("hostname", "h"), ("progname", "p"))
        for view, kept in (
            (PROCESSES, "progname pid state ckout waiting"),
            (POOLS, "progname pid pool_name state ckout waiting"),
            (CHECKOUTS, "out_seconds txn_seconds progname owner site"),
        ):
            for widest in (needs, {}):
                shown = columns.visible(view, "now", widest, 80)
                self.assertLessEqual(set(kept.split()), set(shown), view)
            inside = columns.visible(view, "now", needs, 80, of_a_program)
            self.assertLessEqual({*kept.split()} - {"progname"}, set(inside), view)
            self.assertNotIn("progname", inside)

    def test_what_gives_way_to_who_took_it(self) -> None:
        """Of a checkout, host and process go before thread and transaction do."""
        gone = dropped(CHECKOUTS, "now")
        self.assertEqual(["hostname", "pid", "owner", "txn_seconds", "site"], gone[-5:])

    def test_names_before_more_columns(self) -> None:
        """Once something is left out, a small column does not cut a name."""
        needs = {"hostname": 8, "progname": 20}
        for width in range(46, 58):
            shown = columns.visible(PROGRAMS, "now", needs, width)
            spare = shown["progname"] - 14
            more = set(shown) - {"hostname", "progname", "ckout", "state", "waiting"}
            self.assertTrue(more <= {"ckoutpersec"} or spare == 6, width)

    def test_the_last_takes_the_rest(self) -> None:
        """Sentences have all that is left over."""
        shown = columns.visible(EVENTS, "now", {}, 200)
        self.assertEqual(200, sum(shown.values()) + len(shown) - 1 + columns.GUTTER)

    def test_widest(self) -> None:
        """It is what the longest value of each column takes, in whatever words."""
        frame = FRAMES[PROGRAMS]
        needs = columns.widest(frame, Choices(), UNICODE)
        self.assertEqual(41, needs["hostname"])
        self.assertEqual(20, needs["progname"])
        short = columns.widest(frame, Choices(short_names=True), UNICODE)
        self.assertEqual(17, short["hostname"])
        exact = columns.widest(frame, Choices(exact=True), UNICODE)
        self.assertEqual(len("412.0s"), exact["oldest_seconds"])
        maxima = columns.widest(frame, Choices(sets={PROGRAMS: "max"}), UNICODE)
        self.assertEqual(len("2 stale"), maxima["nproc"])
        self.assertEqual(ORIGINAL.split(), list(maxima))

    @QUICK
    @given(
        st.sampled_from(EVERY),
        st.dictionaries(st.integers(0, 20), st.integers(0, 60)),
        st.integers(1, 300),
    )
    def test_any_width(
        self, which: tuple[str, str], sizes: dict[int, int], width: int
    ) -> None:
        """Figures are never cut; only what must be there may pass the width."""
        view, name = which
        among = columns.columns(view, name)
        needs = {each.name: sizes.get(n, 0) for n, each in enumerate(among)}
        shown = columns.visible(view, name, needs, width)
        names = [each.name for each in among]
        self.assertEqual([each for each in names if each in shown], list(shown))
        for each, cells in shown.items():
            one = column(view, each)
            if one.look in ELASTIC + FILLING:
                self.assertGreaterEqual(cells, 1)
            else:
                self.assertGreaterEqual(cells, min(needs[each], 24))
        total = sum(shown.values()) + len(shown) - 1 + columns.GUTTER
        least = columns.visible(view, name, needs, 1)
        if total > width:
            self.assertEqual(set(least), set(shown))
            cut = [n for n in shown if column(view, n).look in ELASTIC + FILLING]
            self.assertEqual([1] * len(cut), [shown[n] for n in cut])
