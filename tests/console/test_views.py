"""What the screen shows, at every size.

The golden screens are plain text, followed by the looks of each line that has any. To
accept what is drawn now, run these tests with UPDATE_GOLDEN=1 and read the difference.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console import columns
from connmon.console.choices import Choices
from connmon.console.column import column
from connmon.console.place import Asking, Mode, Place, Prompt, Screen
from connmon.console.text import ASCII, UNICODE, Line, Style
from connmon.console.views import Shown, State, lines, page_rows, text_rows
from connmon.views.schema import (
    ADVICE,
    CHECKOUTS,
    CONNECTIONS,
    EVENTS,
    HOSTS,
    NODES,
    POOLS,
    PROCESSES,
    PROGRAMS,
    SERVERS,
    SHARES,
    SITES,
    TAGS,
    TIMEOUTS,
    VIEWS,
    Taking,
)
from tests.console.fakes import plain, widest
from tests.console.frames import (
    CALM,
    FRAMES,
    HEAD,
    a_frame,
    a_program,
    a_row,
    any_shown,
    connections,
    departed,
    pools,
    processes,
    sites,
    tree,
)

QUICK = settings(deadline=None, max_examples=200, database=None)

GOLDEN = Path(__file__).parent / "golden"

KEYS = (
    ("F1", "Help"),
    ("/", "Search"),
    ("\\", "Filter"),
    ("F5", "Tree"),
    ("F6", "Sort"),
    ("Enter", "Open"),
    ("Spc", "Pause"),
    ("1-5", "Views"),
    ("q", "Quit"),
)
HELP = (
    (
        "MOVE",
        (
            ("Up k", "one row up"),
            ("Down j", "one row down"),
            ("PgUp", "one page up"),
            ("PgDn", "one page down"),
            ("Enter Right", "open the row"),
            ("Esc Left Backspace", "back"),
        ),
    ),
    ("VIEWS", (("1", "programs"), ("2", "hosts"), ("3", "checkouts, oldest first"))),
)

#: The names that no terminal may see as they are.
HOSTILE = (
    "\x1b]0;x\x07",
    "a\x1b[31m\u202e\n",
    "e\u0301\u0302\u0303" + "\u0301" * 400,
    "\u6570\u636e\u5e93" * 20,
    "x" * 100_000,
    "",
)

OF_A_PROCESS = (("process", "token0"),)
OF_A_PROGRAM = (("hostname", "ctl1"), ("progname", "nova-api"))


def live(view: str = PROGRAMS, **choices: object) -> Shown:
    """Return a view of a fleet as it is now."""
    made = Choices(delay=1.0, **choices)  # type: ignore[arg-type]
    return Shown(
        Screen((Place(view),), made),
        FRAMES[view],
        State.LIVE,
        address="192.168.1.205:5800",
        clock="14:02:31",
        time=1_700_000_000.0,
        footer=KEYS,
        help=HELP,
        widest=columns.widest(FRAMES[view], made, UNICODE),
    )


def changed(shown: Shown, **changes: object) -> Shown:
    """Return the same with changes to what the keys change."""
    return replace(shown, screen=replace(shown.screen, **changes))  # type: ignore[arg-type]


def inside(place: Place, rows: list[tuple[object, ...]], about: str = "") -> Shown:
    """Return what one has drilled down to."""
    frame = a_frame(place.view, rows, about=about)
    shown = changed(live(place.view), places=(Place(), place))
    return replace(shown, frame=frame, widest={})


LIVE = live()
LOST = replace(
    LIVE,
    state=State.LOST,
    message="lost node1 192.168.1.205:5800: connection refused; trying node2 in 3 s",
    age=12.0,
)
CONNECTING = replace(
    LIVE, frame=None, state=State.CONNECTING, message="trying node1", widest={}
)
IN_A_PROGRAM = inside(
    Place(PROCESSES, OF_A_PROGRAM, ("ctl1.prod.example.net nova-api",)), processes()
)
IN_A_POOL = inside(
    Place(
        CONNECTIONS,
        (*OF_A_PROCESS, ("pool_id", 1)),
        ("ctl1.prod.example.net nova-api", "pid 11200", "postgresql db1/nova"),
        selected=("token0", 2),
        line=1,
    ),
    connections(),
    "QueuePool 5+10, timeout 30s, recycle 3600s",
)
IN_A_PROCESS = inside(
    Place(POOLS, OF_A_PROCESS, ("ctl1.prod.example.net nova-api", "pid 11200")), pools()
)
TREE = replace(
    live(tree=True),
    frame=a_frame(PROGRAMS, tree()),
    widest={},
)
EMPTY = replace(LIVE, frame=a_frame(PROGRAMS, head=CALM), widest={})


def hostile() -> Shown:
    """Return a fleet of those who mean us no good."""
    rows = [a_program(host, name) for name in HOSTILE for host in HOSTILE[:2]]
    head = replace(HEAD, node=HOSTILE[0], service=HOSTILE[1], worst=HOSTILE[2])
    frame = a_frame(PROGRAMS, rows, head=head, about=HOSTILE[1])
    place = Place(title=(HOSTILE[3], HOSTILE[0]), where=HOSTILE[1])
    shown = changed(LIVE, places=(Place(), place))
    return replace(shown, frame=frame, address=HOSTILE[1], clock=HOSTILE[0], widest={})


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

    def setUp(self) -> None:
        """Live in a known time zone."""
        before = os.environ.get("TZ")

        def put_back() -> None:
            if before is None:
                del os.environ["TZ"]
            else:
                os.environ["TZ"] = before
            time.tzset()

        self.addCleanup(put_back)
        os.environ["TZ"] = "UTC"
        time.tzset()

    def check(self, name: str, shown: Shown, *sizes: tuple[int, int]) -> None:
        """Compare screens with the files of that name."""
        for width, height in sizes:
            drawn = portrait(lines(shown, width, height))
            path = GOLDEN / f"{name}-{width}x{height}.txt"
            if os.environ.get("UPDATE_GOLDEN"):
                path.parent.mkdir(exist_ok=True)
                path.write_text(drawn, encoding="utf-8")
            self.assertEqual(path.read_text(encoding="utf-8"), drawn)

    def test_programs(self) -> None:
        """The ordinary screen, in a small, a large and a very small window."""
        self.check("programs", LIVE, (80, 24), (160, 40), (50, 12))

    def test_sets_of_columns(self) -> None:
        """The other sets of the programs' columns."""
        for name in columns.sets(PROGRAMS)[1:]:
            shown = live(sets={PROGRAMS: name}, sorts={PROGRAMS: "-ckout"})
            self.check(f"programs-{name}", shown, (80, 24), (160, 40))

    def test_tree(self) -> None:
        """Programs below their hosts, with lines and with ASCII."""
        self.check("tree", TREE, (80, 24), (160, 40))
        self.check("tree-ascii", replace(TREE, glyphs=ASCII), (80, 24))

    def test_hosts(self) -> None:
        """The view of hosts."""
        self.check("hosts", live(HOSTS), (80, 24), (160, 40))

    def test_processes(self) -> None:
        """All processes, and those of a program."""
        self.check("processes", live(PROCESSES), (80, 24), (160, 40))
        self.check("processes-of-program", IN_A_PROGRAM, (80, 24), (160, 40))

    def test_pools(self) -> None:
        """All pools, and those of a process."""
        self.check("pools", live(POOLS), (80, 24), (160, 40))
        self.check("pools-of-process", IN_A_PROCESS, (80, 24), (160, 40))
        closings = live(POOLS, sets={POOLS: "closings"})
        self.check("pools-closings", closings, (80, 24), (160, 40))
        waiters = live(POOLS, sets={POOLS: "waiters"})
        self.check("pools-waiters", waiters, (80, 24), (160, 40))
        waits = live(POOLS, sets={POOLS: "waits"})
        self.check("pools-waits", waits, (80, 24), (160, 40))

    def test_connections(self) -> None:
        """All connections, and those of a pool."""
        self.check("connections", live(CONNECTIONS), (80, 24), (160, 40))
        self.check("connections-of-pool", IN_A_POOL, (80, 24), (160, 40))

    def test_checkouts(self) -> None:
        """What is out across the fleet."""
        self.check("checkouts", live(CHECKOUTS), (80, 24), (160, 40))

    def test_nodes(self) -> None:
        """The view of nodes."""
        self.check("nodes", live(NODES), (80, 24), (160, 40))
        self.check("nodes-traffic", live(NODES, sets={NODES: "traffic"}), (160, 40))

    def test_events(self) -> None:
        """The view of events."""
        self.check("events", live(EVENTS), (80, 24), (160, 40))

    def test_timeouts(self) -> None:
        """The view of timeouts, and one of them as a whole."""
        self.check("timeouts", live(TIMEOUTS), (80, 24), (160, 40))
        whole = changed(live(TIMEOUTS), mode=Mode.WHOLE)
        self.check("timeouts-whole", whole, (80, 24), (160, 40))

    def test_sites_and_tags(self) -> None:
        """Checkouts by line and by tag, and the lines of a program."""
        self.check("sites", live(SITES), (80, 24), (160, 40))
        self.check("tags", live(TAGS), (80, 24), (160, 40))
        self.check("sites-names", live(SITES, sets={SITES: "names"}), (160, 40))
        place = Place(SITES, OF_A_PROGRAM, ("ctl1 nova-api",))
        self.check("sites-of-program", inside(place, sites()), (80, 24))

    def test_servers(self) -> None:
        """The views of database servers, and of who may ask for what."""
        self.check("servers", live(SERVERS), (80, 24), (160, 40))
        self.check("shares", live(SHARES), (80, 24), (160, 40))

    def test_advice(self) -> None:
        """The view of advice, and one piece of it as a whole."""
        self.check("advice", live(ADVICE), (80, 24), (160, 40))
        for name in ("advice", "evidence", "where"):
            self.check(f"advice-{name}", live(ADVICE, sets={ADVICE: name}), (160, 40))
        whole = changed(live(ADVICE), mode=Mode.WHOLE)
        self.check("advice-whole", whole, (80, 24), (160, 40))

    def test_help(self) -> None:
        """The keys, the columns and the signs."""
        self.check("help", changed(LIVE, mode=Mode.HELP), (80, 24), (160, 40))

    def test_sort_menu(self) -> None:
        """The columns to sort by."""
        shown = changed(live(sorts={PROGRAMS: "conn"}), mode=Mode.SORT, scroll=4)
        self.check("sort", shown, (80, 24), (160, 40))

    def test_log(self) -> None:
        """What was logged, from the line scrolled to on."""
        log = tuple(f"14:02:{second:02} it was {second}" for second in range(40))
        shown = replace(changed(LIVE, mode=Mode.LOG, scroll=99), log=log)
        self.check("log", shown, (80, 24))

    def test_lost(self) -> None:
        """A lost node is told, and what it said last stays, the cursor where it was."""
        place = Place(selected=("bill7", "billing-worker"), line=1)
        self.check(
            "lost", changed(LOST, places=(place,)), (80, 24), (160, 40), (50, 12)
        )

    def test_connecting(self) -> None:
        """Before the first frame there is only what is being tried."""
        self.check("connecting", CONNECTING, (80, 24))

    def test_lost_before_it_was_heard_of(self) -> None:
        """A view that is opened when no node answers any more says why it is empty."""
        shown = changed(LOST, places=(Place(HOSTS),))
        self.check("lost-unheard", shown, (80, 24))

    def test_paused_and_filtered(self) -> None:
        """What one looks at for long, with a filter being changed."""
        place = Place(where="nova", selected=("ctl3", "nova-conductor"), line=2)
        shown = replace(LIVE, state=State.PAUSED, age=75.0)
        prompt = Prompt(Asking.FILTER, "nova-api", 4)
        shown = changed(shown, places=(place,), prompt=prompt, paused=True)
        self.check("paused", shown, (80, 24))

    def test_empty(self) -> None:
        """A fleet without anything."""
        self.check("empty", EMPTY, (80, 24))

    def test_hostile(self) -> None:
        """Names that would do harm."""
        self.check("hostile", hostile(), (80, 24), (160, 40))

    def test_ascii(self) -> None:
        """The screen can do with ASCII."""
        self.check("ascii", replace(LIVE, glyphs=ASCII), (80, 24))


class LinesTests(SynchronousTestCase):
    """What stands where, and gives way to what."""

    def test_how_high_the_header_is(self) -> None:
        """Four lines, then two, then one; the heading never goes before the rows."""
        for height, heading in ((40, 4), (16, 4), (15, 2), (8, 2), (7, 1), (2, 1)):
            drawn = plain(lines(LIVE, 80, height))
            self.assertTrue(drawn[heading].startswith("  HOST"), height)
            self.assertEqual(heading == 4, "Hosts 5/7" in drawn[1])
            self.assertEqual(height >= 8, drawn[-1].startswith("F1Help"))
        self.assertTrue(plain(lines(LIVE, 80, 1))[0].endswith("LIVE"))

    def test_as_many_rows_as_it_says(self) -> None:
        """There are as many rows as the room is said to have, whatever is shown."""
        shown = replace(LIVE, footer=())
        for height in range(1, 50):
            for each in (
                shown,
                changed(shown, places=(Place(where="x"),)),
                changed(shown, notice="x"),
                changed(shown, prompt=Prompt(Asking.FILTER)),
                replace(shown, state=State.LOST),
            ):
                drawn = plain(lines(each, 80, height))
                rows = [line for line in drawn if line[2:7] in _HOSTS]
                count = min(page_rows(each, 80, height), len(FRAMES[PROGRAMS].rows))
                self.assertEqual(count, len(rows), height)

    def test_low_windows_say_what_must_be_said(self) -> None:
        """A prompt, a notice and a lost node have the last line while they last."""
        for shown, said in (
            (LOST, " DISCONNECTED 12.0s "),
            (changed(LIVE, notice="not found"), " not found"),
            (changed(LIVE, prompt=Prompt(Asking.SEARCH, "x", 1)), " Search: x"),
        ):
            for height in range(3, 8):
                drawn = plain(lines(shown, 80, height))
                self.assertTrue(drawn[-1].startswith(said), height)
        prompted = changed(LIVE, prompt=Prompt(Asking.SEARCH, "x", 1))
        self.assertEqual([" Search: x"], plain(lines(prompted, 80, 1)))
        first, second = plain(lines(LOST, 80, 2))
        self.assertTrue(first.endswith("STALE 12.0s"))
        self.assertTrue(second.startswith("  HOST"))

    def test_the_place(self) -> None:
        """The footer says which rows are seen, of how many."""
        rows = [a_program(f"host{number}") for number in range(57)]
        shown = replace(LIVE, frame=a_frame(PROGRAMS, rows))
        self.assertEqual(19, page_rows(shown, 80, 25))
        for line, row, first, last in (
            (0, 0, 1, 19),
            (3, 12, 10, 28),
            (18, 56, 39, 57),
        ):
            place = Place(selected=(f"host{row}", "nova-api"), line=line)
            drawn = plain(lines(changed(shown, places=(place,)), 80, 25))
            self.assertTrue(drawn[-1].endswith(f" {first}-{last} of 57"), drawn[-1])
            self.assertIn(f"host{first - 1} ", drawn[5])
            self.assertIn(f"host{last - 1} ", drawn[-2])

    def test_filtered_out(self) -> None:
        """How many there were before a filter is said as well."""
        frame = a_frame(PROGRAMS, [a_program()], total=28)
        drawn = plain(lines(replace(LIVE, frame=frame), 100, 24))
        self.assertTrue(drawn[-1].endswith(" 1-1 of 1 (28 in all)"))

    def test_nothing_to_show(self) -> None:
        """An empty table says why it is empty."""
        for view in VIEWS:
            shown = replace(live(view), frame=a_frame(view), widest={})
            drawn = plain(lines(shown, 80, 24))
            self.assertRegex(drawn[5], r"^  (no|there is no|nothing) ")
            self.assertTrue(drawn[-1].endswith(" 0-0 of 0"))
        left_out = replace(LIVE, frame=a_frame(PROGRAMS, total=9))
        filtered = changed(left_out, places=(Place(where="x"),))
        self.assertIn("nothing matches", plain(lines(filtered, 80, 24))[6])
        idle = changed(left_out, choices=Choices(busy=True))
        self.assertIn("nothing is busy", plain(lines(idle, 80, 24))[6])

    def test_a_frame_of_another_view(self) -> None:
        """Its rows are not drawn, but what it says of the service holds."""
        drawn = plain(lines(replace(LIVE, frame=FRAMES[NODES]), 80, 24))
        self.assertTrue(drawn[1].startswith("Hosts 5/7"))
        self.assertTrue(drawn[4].startswith("  HOST▾    PROGRAM"))
        self.assertEqual([""] * 18, drawn[5:23])

    def test_widths_stay(self) -> None:
        """What a column needed once it keeps, whatever is shown since."""
        narrow = replace(LIVE, frame=a_frame(PROGRAMS, [a_program("h", "p")]))
        heading = lines(LIVE, 200, 24)[4]
        self.assertEqual(heading, lines(narrow, 200, 24)[4])
        self.assertNotEqual(heading, lines(replace(narrow, widest={}), 200, 24)[4])

    def test_widths_without_a_memory(self) -> None:
        """Figures are not cut either if nobody kept what the columns needed."""
        row = a_program(conn=999_999, ckout=999_999, maxconn=999_999)
        shown = replace(LIVE, frame=a_frame(PROGRAMS, [row]), widest={})
        self.assertEqual(3, plain(lines(shown, 160, 24))[5].split().count("999999"))

    def test_what_is_cut_is_below(self) -> None:
        """Of a selected connection, event or, in a high window, program."""
        for shown, height, said in (
            (IN_A_POOL, 24, " nova/db/sqlalchemy/api.py:412 instance_get_all   "),
            (live(EVENTS), 24, " pool timeout after 30.0s: size 5 overflow 10 all out"),
            (LIVE, 40, " ctl1 nova-api   7 waiting, pool full in 3 of 8 processes"),
        ):
            drawn = plain(lines(shown, 80, height))
            below = "\n".join(drawn[:-1]).rpartition("\n\n")[2]
            self.assertTrue(below.startswith(said), below)
        self.assertNotIn("7 waiting", plain(lines(LIVE, 80, 24))[-2])

    def test_a_connection_that_was_used_once(self) -> None:
        """One is one, also below the table."""
        for uses, said in ((0, "0 uses"), (1, "1 use"), (2, "2 uses")):
            row = a_row(CONNECTIONS, process="p", connection=1, uses=uses)
            shown = inside(Place(CONNECTIONS), [row])
            self.assertEqual(said, plain(lines(shown, 80, 24))[-2].strip())

    def test_below_wherever_rows_leave_room(self) -> None:
        """From 12 lines on; no row gives way to it."""
        waiting = (
            " waiting: 12.5s worker-7 at nova/api/orders.py:88 create; 0.4s worker-9"
        )
        shown = changed(live(POOLS), places=(Place(POOLS),))
        for height in range(1, 40):
            drawn = plain(lines(shown, 120, height))
            self.assertEqual(height >= 12, waiting in "\n".join(drawn), height)
            seen = sum("  11200 " in line for line in drawn)
            self.assertEqual(min(2, page_rows(shown, 120, height)), seen, height)

    def test_an_empty_line_before_what_is_below(self) -> None:
        """Without one there is no room, and nothing is taken for a row."""
        for count in range(1, 24):
            rows = [a_program(f"host{number}", alert="ok") for number in range(count)]
            rows[0] = a_program("host0", reason="7 waiting")
            many = replace(LIVE, frame=a_frame(PROGRAMS, rows), widest={})
            page = page_rows(many, 80, 24)
            below = " host0 nova-api   7 waiting"
            drawn = plain(lines(many, 80, 24))
            self.assertEqual(count <= page - 2, below == drawn[-2], count)
            if count <= page - 2:
                self.assertEqual("", drawn[-3])

    def test_nothing_below_no_row(self) -> None:
        """An empty table has nothing but why it is empty."""
        drawn = plain(lines(EMPTY, 80, 24))
        self.assertEqual([""] * 17, drawn[6:-1])

    def test_panels_scroll(self) -> None:
        """Help and log begin at the line scrolled to, as far as there are lines."""
        log = tuple(f"line {number}" for number in range(40))
        shown = replace(changed(LIVE, mode=Mode.LOG), log=log)
        self.assertEqual(40, text_rows(shown, 80))
        page = page_rows(shown, 80, 24)
        for scroll, first in ((0, 0), (3, 3), (22, 22), (99, 40 - page)):
            drawn = plain(lines(changed(shown, scroll=scroll), 80, 24))
            self.assertEqual(f" line {first}", drawn[5])
            self.assertTrue(drawn[-1].endswith(f" {first + 1}-{first + page} of 40"))
        self.assertEqual(0, text_rows(LIVE, 80))
        self.assertEqual(40 - 4 - 2, page_rows(shown, 80, 40))

    def test_a_timeout_as_a_whole(self) -> None:
        """However many had connections or waited, one can scroll to each of them."""
        rows = [
            a_row(
                TIMEOUTS,
                process="t",
                number=1,
                holders=tuple(Taking("a.py:1 f", f"h{n}", 60.0 - n) for n in range(40)),
                waiters=tuple(Taking("b.py:2 g", f"w{n}", 9.0) for n in range(40)),
            )
        ]
        shown = replace(live(TIMEOUTS), frame=a_frame(TIMEOUTS, rows), widest={})
        shown = changed(shown, mode=Mode.WHOLE)
        seen: set[str] = set()
        for scroll in range(text_rows(shown, 80)):
            for line in plain(lines(changed(shown, scroll=scroll), 80, 24)):
                seen.update(line.split())
        expected = {f"{who}{number}" for who in "hw" for number in range(40)}
        self.assertEqual(set(), expected - seen)

    def test_a_row_that_is_shown_whole_goes(self) -> None:
        """Then that is said; no other is shown in its place."""
        for view in (TIMEOUTS, ADVICE):
            place = Place(view, selected=("no", "such", "row"))
            shown = changed(live(view), places=(place,), mode=Mode.WHOLE)
            drawn = plain(lines(shown, 80, 24))
            self.assertEqual(" it is not there any more", drawn[5])
            self.assertEqual("", drawn[6])

    def test_the_marked_column_is_seen(self) -> None:
        """However low the window is, one sees what one is about to sort by."""
        names = columns.sortable(PROGRAMS, "now")
        for number in range(len(names)):
            for height in (8, 12, 24):
                shown = changed(LIVE, mode=Mode.SORT, scroll=number)
                marked = [
                    line
                    for line in lines(shown, 80, height)
                    if line and line[0][0] is Style.SELECTED
                ]
                (line,) = marked
                self.assertIn(column(PROGRAMS, names[number]).heading, line[0][1])

    def test_help_explains_the_columns(self) -> None:
        """Each column of the set in use, and each sign, with what it means."""
        for name in columns.sets(PROGRAMS):
            shown = changed(live(sets={PROGRAMS: name}), mode=Mode.HELP)
            said = "\n".join(plain(lines(shown, 120, 100)))
            for each in columns.columns(PROGRAMS, name):
                self.assertIn(f" {each.heading} ", said)
            for sign in ("!", "*", ">", "stale", "gone", "-"):
                self.assertRegex(
                    said, rf"\n {'[' + sign + ']' if len(sign) == 1 else sign} "
                )

    def test_hostile_texts(self) -> None:
        """No text reaches the screen as it came."""
        for shown in (
            hostile(),
            changed(hostile(), mode=Mode.LOG),
            replace(hostile(), state=State.LOST, message=HOSTILE[1]),
        ):
            text = "".join(plain(lines(replace(shown, log=HOSTILE), 160, 40)))
            self.assertTrue(text.isprintable())
            self.assertNotIn("\u202e", text)
        bad = {each.name: HOSTILE[1] for each in VIEWS[NODES].fields}
        for view in VIEWS:
            row = a_row(view, **{k: v for k, v in bad.items() if VIEWS[view].field(k)})
            shown = replace(live(view), frame=a_frame(view, [row]), widest={})
            self.assertTrue("".join(plain(lines(shown, 200, 40))).isprintable())

    @QUICK
    @given(any_shown(), st.integers(1, 260), st.integers(1, 80))
    def test_any_size(self, shown: Shown, width: int, height: int) -> None:
        """Anything in any window is exactly that high, never wider, and printable."""
        drawn = lines(shown, width, height)
        self.assertEqual(height, len(drawn))
        self.assertLessEqual(widest(drawn), width)
        text = "".join(plain(drawn))
        self.assertTrue(text.isprintable())
        self.assertTrue(shown.glyphs is UNICODE or text.isascii())
        self.assertGreaterEqual(page_rows(shown, width, height), 0)
        self.assertEqual(drawn, lines(shown, width, height))

    def test_every_small_size(self) -> None:
        """The sizes at which something gives way all hold, one by one."""
        every = [LIVE, LOST, CONNECTING, IN_A_POOL, TREE, EMPTY, hostile()]
        every += [live(NODES), changed(LIVE, mode=Mode.HELP)]
        for width in range(1, 100):
            for height in (1, 2, 3, 5, 7, 8, 9, 15, 16):
                for shown in every:
                    drawn = lines(shown, width, height)
                    self.assertEqual(height, len(drawn))
                    self.assertLessEqual(widest(drawn), width)

    def test_the_largest(self) -> None:
        """A window of 300 by 100 is filled as any other."""
        drawn = lines(LIVE, 300, 100)
        self.assertEqual((100, 300), (len(drawn), widest(drawn)))

    def test_departed(self) -> None:
        """A program that has gone says so, however low and narrow the window is."""
        frame = a_frame(PROGRAMS, [a_program(), departed()])
        for width in range(30, 120):
            drawn = plain(lines(replace(LIVE, frame=frame, widest={}), width, 10))
            self.assertIn("gone", drawn[4].split(), width)


_HOSTS = {str(row[0])[:5].ljust(5) for row in FRAMES[PROGRAMS].rows}
