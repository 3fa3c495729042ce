"""The lines over a table, and the last one of the screen."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console import footer, header
from connmon.console.choices import Choices
from connmon.console.place import Asking, Place, Prompt, Screen
from connmon.console.shown import Shown, State
from connmon.console.text import ASCII, UNICODE, Line, Style, width
from connmon.views.frame import Gauge
from connmon.views.schema import PROGRAMS
from tests.console.fakes import NASTY, plain
from tests.console.frames import CALM, FRAMES, HEAD, HEADS, a_frame

QUICK = settings(deadline=None, max_examples=150, database=None)

BAD = "a\x1b[31m\u202e\n"
HARMLESS = "a?[31m??"

MAXIMA = (
    "Hosts 5 max 7  Procs 156 max 167  Conns 586 max 1048  Ckout 149 max 317  1421/s"
)

LIVE = Shown(
    Screen((Place(),), Choices(delay=1.0)),
    FRAMES[PROGRAMS],
    State.LIVE,
    address="192.168.1.205:5800",
    clock="14:02:31",
)
LOST = replace(
    LIVE,
    state=State.LOST,
    message="lost node1 192.168.1.205:5800: connection refused; trying node2",
    age=12.0,
)


def text(line: Line) -> str:
    """Return what a line says."""
    return plain([line])[0]


def looks(line: Line) -> dict[str, Style]:
    """Return how each piece of a line looks, by what it says."""
    return {said.strip(): style for style, said in line}


class IdentityTests(SynchronousTestCase):
    """The first line."""

    def first(self, shown: Shown, cells: int) -> str:
        """Return the first line in so many cells."""
        return text(header.identity(shown, cells))

    def test_what_gives_way(self) -> None:
        """Nodes that are down, the address, the delay, the clock, and the cluster."""
        for cells, left, right in (
            (
                92,
                "node1 192.168.1.205:5800  cluster 2/3 up (node3 down)",
                "1s 14:02:31",
            ),
            (80, "node1 192.168.1.205:5800  cluster 2/3 up", "1s 14:02:31"),
            (73, "node1  cluster 2/3 up (node3 down)", "1s 14:02:31"),
            (60, "node1  cluster 2/3 up", "1s 14:02:31"),
            (54, "node1  cluster 2/3 up", "14:02:31"),
            (50, "node1  cluster 2/3 up", ""),
            (40, "node1", ""),
        ):
            line = self.first(LIVE, cells)
            self.assertTrue(line.startswith(f"connmon default@{left} "), line)
            self.assertTrue(line.endswith(f"{right}  LIVE"), line)
            self.assertEqual(cells, len(line))

    def test_nothing_comes_back(self) -> None:
        """What gave way to a lack of room stays away when there is still less."""
        for piece in ("1s ", "14:02:31", "cluster"):
            there = [piece in self.first(LIVE, cells) for cells in range(120, 4, -1)]
            self.assertEqual(sorted(there, reverse=True), there, piece)

    def test_a_node_alone(self) -> None:
        """One node is no cluster: the clock has its place."""
        shown = replace(LIVE, frame=a_frame(PROGRAMS, head=CALM))
        self.assertEqual(
            "connmon default@node1  1s 14:02:31  LIVE", self.first(shown, 40)
        )
        self.assertNotIn("cluster", self.first(shown, 160))

    def test_how_fresh_it_is(self) -> None:
        """A word says it, and what is not live has its age beside it."""
        none = replace(LOST, frame=None, age=None)
        for shown, word in (
            (LIVE, "LIVE"),
            (replace(LIVE, age=0.4), "LIVE"),
            (replace(LIVE, state=State.PAUSED, age=75.0), "PAUSED 1m15s"),
            (replace(LIVE, state=State.REPLAY), "REPLAY"),
            (replace(LIVE, state=State.CONNECTING), "STALE"),
            (LOST, "STALE 12.0s"),
            (none, "LOST"),
            (replace(none, state=State.CONNECTING), "CONNECTING"),
        ):
            self.assertTrue(self.first(shown, 80).endswith(f" {word}"), word)

    def test_no_delay_of_a_recording(self) -> None:
        """Its pictures come as they were recorded, whatever the delay."""
        shown = replace(LIVE, state=State.REPLAY)
        for cells in range(5, 160):
            self.assertNotIn("1s 14:02:31", self.first(shown, cells))
        self.assertTrue(self.first(shown, 80).endswith("  14:02:31  REPLAY"))

    def test_freshness_comes_last(self) -> None:
        """In the narrowest window there is the word, and nothing else is cut before."""
        for cells in range(5, 100):
            self.assertIn("STALE", self.first(LOST, cells))
        self.assertEqual("STALE", self.first(LOST, 5))
        self.assertEqual("STA…", self.first(LOST, 4))
        self.assertEqual("connmon de… STALE", self.first(LOST, 17))

    def test_looks(self) -> None:
        """A missing node and stale figures stand out; a whole cluster does not."""
        its = looks(header.identity(LOST, 160))
        self.assertEqual(Style.WARN, its["2/3 up (node3 down)"])
        self.assertEqual(Style.CRIT, its["STALE 12.0s"])
        whole = replace(HEAD, nodes_up=3, down=())
        shown = replace(LIVE, frame=a_frame(PROGRAMS, head=whole))
        its = looks(header.identity(shown, 160))
        self.assertEqual(Style.GOOD, its["3/3 up"])
        self.assertEqual(Style.GOOD, its["LIVE"])

    def test_hostile(self) -> None:
        """No text reaches the line as it came."""
        head = replace(HEAD, service=BAD, node=BAD, down=(BAD,))
        frame = a_frame(PROGRAMS, head=head)
        line = self.first(replace(LIVE, frame=frame, address=BAD, clock=BAD), 200)
        self.assertTrue(line.isprintable())
        self.assertEqual(5, line.count(HARMLESS))

    def test_cluster(self) -> None:
        """A node alone is none; names of those not up come first."""
        self.assertEqual((), header.cluster(CALM))
        up = replace(HEAD, nodes_up=3, down=())
        self.assertEqual(("cluster 3/3 up",), header.cluster(up))
        two = replace(HEAD, nodes_up=1, down=("b", "c\x1b"))
        self.assertEqual(
            ("cluster 1/3 up (b, c? down)", "cluster 1/3 up"), header.cluster(two)
        )


class TotalsTests(SynchronousTestCase):
    """What there is, and who waits."""

    def test_wordings(self) -> None:
        """The wording gets shorter with the room, and never loses digits."""
        spark = "▅▆▇▇▅▄▃▄▆"
        short = "Hosts 5/7  Procs 156/167  Conns 586/1048  Ckout 149/317  1421/s"
        for cells, said in (
            (160, f"{MAXIMA.replace('  ', '   ')}{spark:>21}"),
            (80, f"{short}{spark:>17}"),
            (64, short),
            (62, "Hosts 5/7  Procs 156/167  Conns 586/1048  Ckout 149/317"),
            (1, "Hosts 5/7"),
        ):
            self.assertEqual(said, text(header.totals_line(HEAD, cells, UNICODE)))

    def test_stale(self) -> None:
        """Stale processes stand beside the others."""
        line = header.totals_line(replace(HEAD, stale=3), 80, UNICODE)
        self.assertIn("Procs 156/167 stale 3  Conns", text(line))
        self.assertEqual(Style.WARN, looks(line)["stale 3"])

    def test_without_a_rate(self) -> None:
        """Before two reports there is no rate."""
        line = text(header.totals_line(CALM, 80, UNICODE))
        self.assertEqual(
            "Hosts 0 max 0   Procs 0 max 0   Conns 0 max 0   Ckout 0 max 0   -/s",
            text(header.totals_line(CALM, 89, UNICODE)),
        )
        self.assertTrue(line.endswith("-/s"))

    def test_waits(self) -> None:
        """What is known of who waits, from the left as far as it fits."""
        full = "Waiting 7  wait p99 2.9s  Timeouts 12  Oldest 6m52s  Txn 6m49s"
        self.assertEqual(full, text(header.waits_line(HEAD, 62)))
        self.assertEqual(full[:-11], text(header.waits_line(HEAD, 61)))
        self.assertEqual("Waiting 7", text(header.waits_line(HEAD, 1)))
        self.assertEqual(
            "Waiting -  wait p99 -  Timeouts -  Oldest -  Txn -",
            text(header.waits_line(CALM, 80)),
        )

    def test_waiting_looks_bad(self) -> None:
        """Whoever waits stands out, and nobody who does not."""
        self.assertEqual(Style.CRIT, looks(header.waits_line(HEAD, 80))["7"])
        calm = replace(HEAD, waiting=0, timeouts=0)
        self.assertEqual(Style.VALUE, looks(header.waits_line(calm, 80))["0"])
        past = replace(HEAD, waiting=0, crit=0)
        self.assertEqual(Style.WARN, looks(header.waits_line(past, 80))["12"])

    def test_plain(self) -> None:
        """Text has the same, without drawings, and what is wrong in words."""
        self.assertEqual(
            [
                MAXIMA,
                "Waiting 7  wait p99 2.9s  Timeouts 12  Oldest 6m52s  Txn 6m49s",
                f"1 CRIT   3 WARN  {HEAD.worst}",
            ],
            header.plain(HEAD, None),
        )
        self.assertEqual(header.plain(HEAD, None)[0], header.totals(HEAD))
        self.assertEqual(2, len(header.plain(CALM, None)))
        narrow = header.plain(HEAD, 70)
        self.assertTrue(narrow[0].startswith("Hosts 5/7  "))
        self.assertTrue(narrow[2].endswith("…"))
        bad = replace(HEAD, worst="Zürich\x1b")
        self.assertTrue(header.plain(bad, None, ASCII)[2].endswith("Z?rich?"))

    @QUICK
    @given(HEADS, st.integers(1, 200), st.sampled_from([UNICODE, ASCII]))
    def test_any_head(self, head: object, cells: int, glyphs: object) -> None:
        """Whatever the head, the lines are printable, and digits are not cut."""
        assert isinstance(head, type(HEAD))
        chosen = ASCII if glyphs is ASCII else UNICODE
        lines = [
            text(header.totals_line(head, cells, chosen)),
            text(header.waits_line(head, cells)),
            *header.plain(head, cells, chosen),
            *header.cluster(head, chosen),
        ]
        self.assertTrue("".join(lines).isprintable())
        self.assertTrue(chosen is UNICODE or "".join(lines).isascii())
        for line in lines[:2]:
            self.assertTrue(len(line) <= cells or "  " not in line)


class NewsTests(SynchronousTestCase):
    """The line that says what is wrong."""

    def test_alerts(self) -> None:
        """How many are how bad, and the worst in words."""
        line = header.news(LIVE)
        self.assertTrue(
            text(line).startswith(" 1 CRIT   3 WARN  ctl1 nova-api STUCK: 7 ")
        )
        self.assertEqual(Style.CRIT, looks(line)["1 CRIT"])
        self.assertEqual(Style.WARN_BADGE, looks(line)["3 WARN"])
        warned = replace(HEAD, crit=0, worst="x")
        shown = replace(LIVE, frame=a_frame(PROGRAMS, head=warned))
        self.assertEqual(" 3 WARN  x", text(header.news(shown)))

    def test_all_is_well(self) -> None:
        """That nothing is wrong is said, in few words."""
        shown = replace(LIVE, frame=a_frame(PROGRAMS, head=CALM))
        self.assertEqual(" OK  nothing is wrong", text(header.news(shown)))
        self.assertEqual((), header.news(replace(LIVE, frame=None)))

    def test_lost(self) -> None:
        """From whom we are cut off, why, what is next, and how old the figures are."""
        line = header.news(LOST)
        self.assertEqual(
            " DISCONNECTED 12.0s  from node1 192.168.1.205:5800: connection refused; "
            "trying node2. Numbers are 12.0s old",
            text(line),
        )
        self.assertEqual(Style.CRIT, line[0][0])

    def test_connecting(self) -> None:
        """Before the first frame there are no figures to be old."""
        shown = Shown(Screen(), None, State.CONNECTING, "trying node1")
        self.assertEqual(" CONNECTING  trying node1", text(header.news(shown)))

    def test_notice(self) -> None:
        """What the last key has to say is in its place, unless no node is heard."""
        screen = replace(LIVE.screen, notice="saved to x")
        shown = replace(LIVE, screen=screen)
        self.assertEqual(" saved to x", text(header.news(shown)))
        self.assertEqual((), header.where(shown))
        self.assertEqual(Style.VALUE, header.news(shown)[0][0])
        error = replace(shown, screen=replace(screen, notice_is_error=True))
        self.assertEqual(Style.WARN, header.news(error)[0][0])
        lost = replace(LOST, screen=screen)
        self.assertIn("DISCONNECTED", text(header.news(lost)))
        self.assertIn("saved to x", text(header.where(lost)))

    def test_hostile(self) -> None:
        """No text reaches the lines as it came."""
        frame = a_frame(PROGRAMS, head=replace(HEAD, worst=BAD), about=BAD)
        place = Place(title=(BAD, BAD), where=BAD)
        shown = replace(
            LIVE, frame=frame, screen=Screen((Place(), place), notice=BAD), message=BAD
        )
        calm = replace(shown, screen=replace(shown.screen, notice=""))
        lost = replace(shown, state=State.LOST)
        lines = [
            text(line(each))
            for each in (shown, calm, lost)
            for line in (header.news, header.where)
        ]
        self.assertTrue("".join(lines).isprintable())
        self.assertEqual([1, 5, 1, 5, 1, 5], [line.count(HARMLESS) for line in lines])


class WhereTests(SynchronousTestCase):
    """The line that says where one is."""

    def where(self, **changes: object) -> str:
        """Return it for a screen with these changes."""
        screen = replace(LIVE.screen, **changes)  # type: ignore[arg-type]
        return text(header.where(replace(LIVE, screen=screen)))

    def test_nothing(self) -> None:
        """Where all of a view is shown there is no such line."""
        self.assertEqual("", self.where())

    def test_path(self) -> None:
        """The way that was drilled down, with what there is to say of its end."""
        place = Place("connections", title=("ctl1 nova-api", "pid 11200"))
        screen = Screen((Place(), Place("processes"), place))
        frame = a_frame("connections", about="QueuePool 5+10")
        shown = replace(LIVE, screen=screen, frame=frame)
        said = text(header.where(shown))
        self.assertEqual(
            " programs › ctl1 nova-api › pid 11200   QueuePool 5+10",  # noqa: RUF001
            said,
        )
        said = text(header.where(replace(shown, glyphs=ASCII)))
        self.assertTrue(said.startswith(" programs > ctl1 nova-api > pid 11200 "))

    def test_what_is_left_out(self) -> None:
        """A filter, and that what is idle is hidden."""
        self.assertEqual("  filter: nova", self.where(places=(Place(where="nova"),)))
        self.assertEqual("  busy only", self.where(choices=Choices(busy=True)))
        place = Place(title=("x" * 90,), where="nova")
        shown = replace(LIVE, screen=Screen((Place(), place)))
        line = header.where(shown, 60)
        self.assertEqual(60, sum(map(width, (said for _, said in line))))
        self.assertTrue(text(line).endswith("xx…    filter: nova"))
        self.assertEqual(
            "  filter: nova     busy only",
            self.where(places=(Place(where="nova"),), choices=Choices(busy=True)),
        )

    def test_message(self) -> None:
        """What there is to say of a link that is there, or of a recording."""
        shown = replace(LIVE, state=State.REPLAY, message="4 times as fast")
        self.assertEqual(" 4 times as fast", text(header.where(shown)))
        self.assertEqual((), header.where(LOST))


class FooterTests(SynchronousTestCase):
    """The last line."""

    KEYS = (("F1", "Help"), ("/", "Search"), ("\\", "Filter"), ("F5", "Tree"))

    def test_keys(self) -> None:
        """As many keys as fit beside the place, which never gives way."""
        said = [
            text(footer.reminder(self.KEYS, "1-18 of 28", cells, UNICODE))
            for cells in range(1, 60)
        ]
        self.assertEqual("1-18 of 28", said[9])
        self.assertEqual("F1Help 1-18 of 28", said[17].replace("  ", " "))
        self.assertTrue(said[-1].startswith("F1Help /Search \\Filter F5Tree  "))
        for before, after in pairwise(said[10:]):
            self.assertTrue(after.endswith("1-18 of 28"))
            self.assertLessEqual(before.count("F"), after.count("F"))

    def test_place(self) -> None:
        """Which rows are seen, of how many, and of how many before a filter."""
        self.assertEqual("1-18 of 28", footer.place(0, 18, 28, 28))
        self.assertEqual("0-0 of 0", footer.place(0, 0, 0))
        self.assertEqual("3-4 of 9 (28 in all)", footer.place(2, 4, 9, 28))

    def typed(self, line: str, caret: int, cells: int) -> str:
        """Return a prompt with what is under the caret in brackets."""
        prompt = Prompt(Asking.FILTER, line, caret)
        return "".join(
            f"[{said}]" if style is Style.CARET else said
            for style, said in footer.typed(prompt, cells, UNICODE)
        )

    def test_typed(self) -> None:
        """The caret is on the character after it, or after the last one."""
        self.assertEqual(" Filter: n[o]va", self.typed("nova", 1, 40))
        self.assertEqual(" Filter: nova[ ]", self.typed("nova", 4, 40))
        self.assertEqual(" Filter: [ ]", self.typed("", 0, 40))

    def test_long(self) -> None:
        """However long it is, the caret is seen."""
        self.assertEqual(" Filter: fgh[ ]", self.typed("abcdefgh", 8, 13))
        self.assertEqual(" Filter: [a]bc…", self.typed("abcdefgh", 0, 13))
        self.assertEqual("h[ ]", self.typed("abcdefgh", 8, 2))

    def test_marks(self) -> None:
        """A character and the marks on it are under the caret together."""
        self.assertEqual(" Filter: a[e\u0301]b", self.typed("ae\u0301b", 2, 40))

    @QUICK
    @given(NASTY, st.integers(-1, 40), st.integers(1, 60))
    def test_anything_typed(self, line: str, caret: int, cells: int) -> None:
        """Whatever is typed, the caret is within the window, and shows something."""
        drawn = footer.typed(Prompt(Asking.SEARCH, line, caret), cells, UNICODE)
        self.assertLessEqual(sum(width(said) for _, said in drawn), cells)
        under = [said for style, said in drawn if style is Style.CARET]
        if cells > 1:
            self.assertEqual(1, len(under))
            self.assertGreaterEqual(width(under[0]), 1)

    def test_each_prompt_is_named(self) -> None:
        """It says what is asked for."""
        for asking in Asking:
            said = text(footer.typed(Prompt(asking, "x", 1), 60, UNICODE))
            self.assertRegex(said, r"^ [A-Z][a-z ]+: x")

    def test_gauges(self) -> None:
        """Large totals are short."""
        head = replace(CALM, connections=Gauge(1_234_567, 10**40))
        self.assertIn("Conns 1.2M/>999E", text(header.totals_line(head, 60, UNICODE)))
