"""What the screen shows, at every size.

The golden screens are plain text, followed by the looks of each line that has any. To
accept what is drawn now, run these tests with UPDATE_GOLDEN=1 and read the difference.
"""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console import nodes
from connmon.console.programs import cluster, layout, per_second, totals
from connmon.console.table import age
from connmon.console.text import ASCII, UNICODE, Line, Style
from connmon.console.views import Shown, State, lines, page_rows
from connmon.model.summary import REFUSED, STALE, UNREACHABLE, UP, Gauge
from connmon.wire.commands import NODES, VIEWS
from tests.console.fakes import (
    FRAMES,
    NASTY,
    NODES_FRAMES,
    a_frame,
    a_node,
    a_nodes_frame,
    a_row,
    departed,
    many_programs,
    plain,
    three_nodes,
    widest,
)

QUICK = settings(deadline=None, max_examples=150, database=None)

GOLDEN = Path(__file__).parent / "golden"

LIVE = Shown(
    frame=a_frame(many_programs()),
    state=State.LIVE,
    address="192.168.1.205:5800",
    clock="14:02:31",
)
LOST = replace(
    LIVE,
    state=State.LOST,
    message="lost node1 192.168.1.205:5800: connection refused; trying node2",
    offset=99,
)
CLUSTER = replace(
    LIVE,
    frame=replace(
        a_frame(
            [
                a_row(counts=(8, 63, 45), stale=2, stale_seconds=11.04),
                a_row("ctl2", "nova-conductor", stale=8, stale_seconds=8.25),
                a_row("ctl3", "keystone-wsgi-public"),
                departed(),
            ]
        ),
        stale=10,
        nodes_up=2,
        nodes=3,
        down=("node3",),
    ),
)
NODES_LIVE = replace(LIVE, frame=a_nodes_frame(three_nodes()), view=NODES)
CONNECTING = Shown(
    frame=None,
    state=State.CONNECTING,
    message="trying node1 192.168.1.205:5800",
    address="192.168.1.205:5800",
    clock="14:02:31",
)

SHOWN = st.builds(
    Shown,
    frame=st.one_of(st.none(), FRAMES, NODES_FRAMES),
    state=st.sampled_from(State),
    message=NASTY,
    address=NASTY,
    clock=NASTY,
    offset=st.integers(-5, 99),
    glyphs=st.sampled_from([UNICODE, ASCII]),
    view=st.sampled_from(VIEWS),
)


def portrait(drawn: list[Line]) -> str:
    """Return lines as a golden file has them."""
    looks = [
        f"{number:3} " + " ".join(f"{style.name}*{len(text)}" for style, text in line)
        for number, line in enumerate(drawn, 1)
        if any(style is not Style.PLAIN for style, _ in line)
    ]
    return "\n".join([*plain(drawn), "", "looks:", *looks, ""])


class GoldenTests(SynchronousTestCase):
    """Whole screens, to be looked at."""

    def check(self, name: str, shown: Shown, width: int, height: int) -> None:
        """Compare a screen with the file of that name."""
        drawn = portrait(lines(shown, width, height))
        path = GOLDEN / f"{name}-{width}x{height}.txt"
        if os.environ.get("UPDATE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(drawn, encoding="utf-8")
        self.assertEqual(path.read_text(encoding="utf-8"), drawn)

    def test_live(self) -> None:
        """The ordinary screen, in a small and in a large window."""
        self.check("live", LIVE, 80, 24)
        self.check("live", LIVE, 160, 40)

    def test_narrow(self) -> None:
        """A narrow window keeps who and how many are checked out."""
        self.check("live", LIVE, 50, 12)

    def test_lost(self) -> None:
        """A lost node is told, and what it said last stays, scrolled to the end."""
        self.check("lost", LOST, 80, 24)

    def test_connecting(self) -> None:
        """Before the first frame there is only what is being tried."""
        self.check("connecting", CONNECTING, 80, 24)

    def test_stale(self) -> None:
        """A node is down: what it knew of is marked, by numbers in a column."""
        self.check("stale", CLUSTER, 80, 24)
        self.check("stale", CLUSTER, 160, 40)

    def test_nodes(self) -> None:
        """The nodes view, in a small and in a large window."""
        self.check("nodes", NODES_LIVE, 80, 24)
        self.check("nodes", NODES_LIVE, 160, 40)

    def test_ascii(self) -> None:
        """The screen can do with ASCII."""
        self.check("ascii", replace(LIVE, glyphs=ASCII), 80, 24)


class LinesTests(SynchronousTestCase):
    """Single rules of the screen."""

    def test_all_nine_columns_at_eighty(self) -> None:
        """Eighty cells hold the nine columns, with rows of large numbers too."""
        row = a_row(counts=(9999, 9999, 9999), maxima=(9999, 9999, 9999), rate=9999.0)
        columns = layout([row], 80)
        self.assertEqual(9, len(columns))
        self.assertLessEqual(8, columns["progname"])

    def test_order_of_dropping(self) -> None:
        """The maxima go first; host, program and checkouts never go."""
        seen: list[list[str]] = []
        for width in range(90, 0, -1):
            names = list(layout([a_row()], width))
            if not seen or seen[-1] != names:
                seen.append(names)
        dropped = [(set(before) - set(after)).pop() for before, after in pairwise(seen)]
        self.assertEqual(
            ["maxnproc", "maxconn", "maxckout", "ckoutpersec", "nproc", "conn"], dropped
        )
        self.assertEqual(["hostname", "progname", "ckout"], seen[-1])

    def test_departed(self) -> None:
        """A program that has gone says so in a word, at every width."""
        row = departed()
        for width in range(26, 120):
            shown = replace(LIVE, frame=a_frame([a_row(), row]))
            line = lines(shown, width, 24)[5]
            self.assertIn("gone", plain([line])[0].split(), width)
            self.assertEqual(Style.GONE, line[0][0])

    def test_stale(self) -> None:
        """Figures that are no longer fresh are marked by a word."""
        for state, word in (
            (State.LIVE, "LIVE"),
            (State.LOST, "STALE"),
            (State.CONNECTING, "STALE"),
        ):
            first = plain(lines(replace(LIVE, state=state), 80, 24))[0]
            self.assertEqual(word, first.split()[-1])
        first = plain(lines(replace(LOST, frame=None), 80, 24))[0]
        self.assertEqual("LOST", first.split()[-1])

    def test_the_word_stays_longest(self) -> None:
        """Address and clock give way before the word that says how fresh it all is."""
        for width in range(5, 80):
            line = plain(lines(LOST, width, 24))[0]
            self.assertEqual("STALE", line.split()[-1], width)
        self.assertNotIn("14:02", plain(lines(LOST, 20, 24))[0])

    def test_no_programs(self) -> None:
        """An empty table says that it is empty."""
        drawn = plain(lines(replace(LIVE, frame=a_frame()), 80, 24))
        self.assertEqual("no program has reported yet", drawn[4])
        self.assertTrue(drawn[-1].endswith(" 0-0 of 0"))

    def test_the_place(self) -> None:
        """The footer says which rows are seen, and scrolling stops at the end."""
        rows = [a_row(f"host{number}") for number in range(57)]
        shown = replace(LIVE, frame=a_frame(rows))
        page = page_rows(shown, 25)
        self.assertEqual(20, page)
        for offset, first, last in ((0, 1, 20), (5, 6, 25), (99, 38, 57), (-3, 1, 20)):
            drawn = plain(lines(replace(shown, offset=offset), 80, 25))
            self.assertTrue(drawn[-1].endswith(f" {first}-{last} of 57"))
            self.assertEqual(f"host{first - 1}", drawn[4].split()[0])
            self.assertEqual(f"host{last - 1}", drawn[-2].split()[0])

    def test_rows_as_given(self) -> None:
        """Rows keep the order they are given in."""
        rows = [a_row("b", "z"), a_row("a", "y"), a_row("c", "x")]
        drawn = plain(lines(replace(LIVE, frame=a_frame(rows)), 80, 24))
        self.assertEqual(["b", "a", "c"], [line.split()[0] for line in drawn[4:7]])

    def test_scrolling_moves_nothing_sideways(self) -> None:
        """The columns' widths do not depend on which rows are in the window."""
        first = lines(LIVE, 120, 12)[3]
        self.assertEqual(first, lines(replace(LIVE, offset=20), 120, 12)[3])

    def test_low_windows(self) -> None:
        """A low window gives up the footer, then the table, not the heading."""
        drawn = plain(lines(LIVE, 80, 7))
        self.assertTrue(drawn[2].startswith("hostname"))
        self.assertEqual(4, page_rows(LIVE, 7))
        self.assertEqual("ctl1", drawn[6].split()[0])
        self.assertTrue(plain(lines(LIVE, 80, 1))[0].endswith("LIVE"))
        self.assertTrue(plain(lines(LOST, 80, 3))[2].startswith("lost node1"))

    def test_hostile_texts(self) -> None:
        """No text reaches the screen as it came."""
        bad = "a\x1b[31m\u202e\n"
        shown = Shown(
            frame=a_frame([a_row(bad, bad)], bad, bad),
            state=State.LOST,
            message=bad,
            address=bad,
            clock=bad,
        )
        text = "".join(plain(lines(shown, 160, 24)))
        self.assertTrue(text.isprintable())
        self.assertEqual(7, text.count("a?[31m??"))

    @QUICK
    @given(SHOWN, st.integers(1, 260), st.integers(1, 80))
    def test_any_size(self, shown: Shown, width: int, height: int) -> None:
        """Any frame in any window is exactly that high, never wider, and printable."""
        drawn = lines(shown, width, height)
        self.assertEqual(height, len(drawn))
        self.assertLessEqual(widest(drawn), width)
        text = "".join(plain(drawn))
        self.assertTrue(text.isprintable())
        self.assertTrue(shown.glyphs is UNICODE or text.isascii())

    def test_every_small_size(self) -> None:
        """The sizes at which something gives way all hold, one by one."""
        for width in range(1, 100):
            for height in range(1, 14):
                for shown in (LIVE, LOST, CONNECTING, CLUSTER, NODES_LIVE):
                    drawn = lines(shown, width, height)
                    self.assertEqual(height, len(drawn))
                    self.assertLessEqual(widest(drawn), width)


class StaleTests(SynchronousTestCase):
    """Programs of which something is stale."""

    def test_all_columns_at_eighty(self) -> None:
        """The mark takes its room from the names, not from the figures."""
        rows = [a_row(stale=8, stale_seconds=99.0)]
        self.assertEqual("stale", list(layout(rows, 80))[-1])
        self.assertEqual(10, len(layout(rows, 80)))
        self.assertEqual(9, len(layout([a_row()], 80)))

    def test_the_mark_is_never_dropped(self) -> None:
        """However narrow the window is, what is stale is said."""
        for width in range(1, 120):
            self.assertIn("stale", layout([a_row(stale=1)], width))

    def test_the_mark(self) -> None:
        """How many, or all, and how old the oldest is, if that is known."""
        for row, mark in (
            (a_row(stale=2, stale_seconds=11.0), "2 11s"),
            (a_row(stale=8, stale_seconds=2.25), "all 2s"),
            (a_row(stale=2), "2"),
            (a_row(), "0.4"),
        ):
            frame = a_frame([row, a_row("ctl2", stale=1, stale_seconds=1.0)])
            drawn = plain(lines(replace(LIVE, frame=frame), 80, 24))
            self.assertTrue(drawn[4].endswith(" " + mark), drawn[4])

    def test_names_look_as_always(self) -> None:
        """Only what is doubtful looks it: the mark, or all figures of a row."""
        partly, wholly = lines(CLUSTER, 80, 24)[4:6]
        self.assertEqual([Style.PLAIN, Style.STALE], [style for style, _ in partly])
        self.assertEqual("2 11s", partly[1][1].strip())
        self.assertEqual([Style.PLAIN, Style.STALE], [style for style, _ in wholly])
        self.assertEqual(10, len((wholly[0][1] + wholly[1][1]).split()) - 1)
        self.assertEqual("ctl2", wholly[0][1].split()[0])
        self.assertEqual(2, len(wholly[0][1].split()))

    def test_totals(self) -> None:
        """Stale processes are beside the others, in each wording."""
        frame = replace(a_frame(), stale=3)
        for width, words in (
            (None, "Processes 156 (max 167, stale 3)"),
            (100, "Procs 156 max 167 stale 3"),
            (78, "Procs 156/167 stale 3"),
        ):
            self.assertIn(f"  {words}  ", totals(frame, width))

    def test_cluster(self) -> None:
        """A node alone is none; names of those not up come if there is room."""
        self.assertEqual((), cluster(a_frame()))
        up = replace(a_frame(), nodes=3, nodes_up=3)
        self.assertEqual(("cluster 3/3 up",), cluster(up))
        two = replace(up, nodes_up=1, down=("b", "c"))
        self.assertEqual(("cluster 1/3 up (b, c down)", "cluster 1/3 up"), cluster(two))

    def test_the_first_line(self) -> None:
        """Names of nodes give way first, then the address, then the cluster."""
        for width, said in (
            (85, "node1 192.168.1.205:5800  cluster 2/3 up (node3 down)"),
            (83, "node1 192.168.1.205:5800  cluster 2/3 up"),
            (70, "node1  cluster 2/3 up (node3 down)"),
            (55, "node1  cluster 2/3 up"),
        ):
            first = plain(lines(CLUSTER, width, 24))[0]
            self.assertTrue(first.startswith(f"connmon default@{said} "), first)
            self.assertTrue(first.endswith(" 14:02:31  LIVE"), first)
        self.assertNotIn("cluster", plain(lines(CLUSTER, 50, 24))[0])

    def test_hostile_nodes(self) -> None:
        """Names of nodes are made harmless like all others."""
        frame = replace(a_frame(), nodes=2, down=("a\x1b[31m",))
        first = plain(lines(replace(LIVE, frame=frame), 160, 24))[0]
        self.assertIn("cluster 1/2 up (a?[31m down)", first)


class NodesTests(SynchronousTestCase):
    """The nodes view."""

    def test_order_of_dropping(self) -> None:
        """Traffic goes first; who it is, and its state, never."""
        seen: list[list[str]] = []
        for width in range(200, 0, -1):
            names = list(nodes.layout(three_nodes(), width))
            if not seen or seen[-1] != names:
                seen.append(names)
        dropped = [(set(before) - set(after)).pop() for before, after in pairwise(seen)]
        self.assertEqual(
            "version msgsin msgsout bytesin bytesout consoles agreed lag address "
            "clients since reason",
            " ".join(dropped),
        )
        self.assertEqual(["node", "state"], seen[-1])

    def test_reasons_are_readable(self) -> None:
        """With room for it, whole below the node, broken at blanks."""
        for width in (40, 80, 120, 160):
            text = plain(lines(NODES_LIVE, width, 40))
            joined = " ".join(line.strip() for line in text)
            for said in (three_nodes()[2].reason, three_nodes()[1].remarks[0]):
                self.assertIn(said, joined)

    def test_columns_do_not_depend_on_reasons(self) -> None:
        """A node that goes down moves no column away."""
        up = [a_node("node1"), a_node("node2")]
        down = [a_node("node1"), a_node("node2", state=UNREACHABLE, reason="x" * 99)]
        for width in (80, 120, 160):
            self.assertEqual(nodes.layout(up, width), nodes.layout(down, width))

    def test_many_nodes(self) -> None:
        """Where lines are short, each node has one, remarks at its end."""
        rows = [a_node(f"n{number}", remarks=["odd", "so"]) for number in range(20)]
        shown = replace(NODES_LIVE, frame=a_nodes_frame(rows))
        drawn = plain(lines(shown, 80, 24))
        self.assertTrue(all(line.endswith(" odd; so") for line in drawn[4:23]))
        self.assertTrue(drawn[-1].endswith(" 1-19 of 20"), drawn[-1])
        drawn = plain(lines(replace(shown, offset=99), 80, 24))
        self.assertEqual("n19", drawn[-2].split()[0])

    def test_states_look_different(self) -> None:
        """The word says it; calm of one that is silent, loud of one out of reach."""
        for state, style in (
            (UP, Style.PLAIN),
            (STALE, Style.STALE),
            (UNREACHABLE, Style.ALERT),
            (REFUSED, Style.ALERT),
        ):
            frame = a_nodes_frame([a_node(state=state)])
            line = lines(replace(NODES_LIVE, frame=frame), 80, 24)[4]
            self.assertEqual((style, state), line[1])

    def test_a_frame_of_another_view(self) -> None:
        """It is not drawn, whichever it is."""
        for shown in (
            replace(LIVE, view=NODES),
            replace(NODES_LIVE, view=LIVE.view),
        ):
            drawn = plain(lines(shown, 80, 24))
            self.assertEqual(["", "", ""], [drawn[1], drawn[4], drawn[5]])

    def test_what_is_not_known(self) -> None:
        """Of a node that was never reached there is a dash for each such thing."""
        row = a_node(
            "n", "h:1", UNREACHABLE, "why", since=5.0, links=(None, None), version=""
        )
        shown = replace(NODES_LIVE, frame=a_nodes_frame([row]))
        self.assertEqual(
            "n h:1 unreachable 5s - - - - 0 0 0 0 - why",
            " ".join(plain(lines(shown, 160, 24))[4].split()),
        )

    def test_hostile_texts(self) -> None:
        """No text of a node reaches the screen as it came."""
        bad = "a\x1b[31m\u202e\n"
        row = a_node(bad, bad, UNREACHABLE, bad, version=bad, remarks=[bad])
        shown = replace(NODES_LIVE, frame=a_nodes_frame([row]))
        text = "".join(plain(lines(shown, 200, 24)))
        self.assertTrue(text.isprintable())
        self.assertEqual(5, text.count("a?[31m??"))

    def test_totals(self) -> None:
        """States in their order, with those that there are."""
        self.assertEqual(
            "Nodes 3 (2 up, 1 unreachable)  Clients 19  Consoles 1",
            nodes.totals(a_nodes_frame(three_nodes())),
        )
        self.assertEqual(
            "Nodes 1 (0 up, 1 refused)  Clients 5  Consoles 1",
            nodes.totals(a_nodes_frame([a_node(state=REFUSED)])),
        )


class FigureTests(SynchronousTestCase):
    """How numbers are written."""

    def test_rates(self) -> None:
        """A rate has a decimal while that says something; unknown ones are a dash."""
        for rate, text in (
            (None, "-"),
            (float("nan"), "-"),
            (float("inf"), "-"),
            (0.0, "0"),
            (0.04, "0.0"),
            (12.34, "12.3"),
            (99.94, "99.9"),
            (99.96, "100"),
            (1421.3, "1421"),
        ):
            self.assertEqual(text, per_second(rate))

    def test_ages(self) -> None:
        """One unit, the largest that still says something."""
        for seconds, text in (
            (None, "-"),
            (float("nan"), "-"),
            (0.0, "0s"),
            (1.6, "2s"),
            (99.4, "99s"),
            (99.6, "2m"),
            (5960.0, "99m"),
            (6000.0, "2h"),
            (47.4 * 3600, "47h"),
            (47.6 * 3600, "2d"),
            (1e9, "11574d"),
        ):
            self.assertEqual(text, age(seconds))

    def test_lag(self) -> None:
        """Milliseconds, with a decimal while that says something."""
        for seconds, text in (
            (None, "-"),
            (float("inf"), "-"),
            (0.00042, "0.4ms"),
            (0.0123, "12ms"),
            (1.25, "1250ms"),
        ):
            self.assertEqual(text, nodes.lag(seconds))

    def test_sizes(self) -> None:
        """Three digits and a unit at most."""
        for number, text in (
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (45_678, "45K"),
            (1_048_000, "1023K"),
            (1_048_576, "1.0M"),
            (5 * 2**30, "5.0G"),
            (2**63 - 1, "8192P"),
        ):
            self.assertEqual(text, nodes.size(number))

    def test_totals(self) -> None:
        """The wording gets shorter with the room, and never loses digits."""
        frame = a_frame()
        self.assertEqual(
            "Hosts 5 (max 7)  Processes 156 (max 167)  Connections 586 (max 1048)  "
            "Checkouts 149 (max 317)  1421/s",
            totals(frame, 101),
        )
        self.assertEqual(
            "Hosts 5 max 7  Procs 156 max 167  Conns 586 max 1048  "
            "Ckout 149 max 317  1421/s",
            totals(frame, 100),
        )
        self.assertEqual(
            "Hosts 5/7  Procs 156/167  Conns 586/1048  Ckout 149/317  1421/s",
            totals(frame, 78),
        )
        self.assertEqual(
            "Hosts 5/7  Procs 156/167  Conns 586/1048  Ckout 149/317", totals(frame, 62)
        )
        self.assertEqual("Hosts 5/7", totals(frame, 1))

    def test_totals_without_a_rate(self) -> None:
        """Before two reports there is no rate."""
        frame = replace(a_frame(), per_second=None, hosts=Gauge(0, 0))
        self.assertTrue(totals(frame, None).endswith("  -/s"))
