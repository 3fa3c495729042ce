"""What keys do to what the viewer sees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console import columns
from connmon.console.asking import query
from connmon.console.choices import Choices
from connmon.console.keys import PASTE, SECTIONS, Action, action
from connmon.console.place import Asking, Mode, Place, Prompt, Screen
from connmon.console.preferences import THEMES
from connmon.console.pressing import Do, Effect, Sight
from connmon.console.screen import _RULES, ORDER, press
from connmon.views.answer import checked
from connmon.views.frame import Frame
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
)
from tests.console.viewer import Node, Viewer, a_frame, a_row, key_of, programs

QUICK = settings(deadline=None, max_examples=200, database=None)

FRAME = a_frame(rows=programs(20))
SIGHT = Sight(FRAME, 5, ("hostname", "conn"), lines=7)
KEYS = [key for _, bindings in SECTIONS for each in bindings for key in each.keys]


def pressed(screen: Screen, *keys: str, sight: Sight = SIGHT) -> tuple[Screen, Effect]:
    """The screen after keys, and the effect of the last one."""
    effect = Effect()
    for key in keys:
        screen, effect = press(screen, key, sight)
    return screen, effect


def after(screen: Screen, *keys: str, sight: Sight = SIGHT) -> Screen:
    """The screen after keys that have no effect besides."""
    screen, effect = pressed(screen, *keys, sight=sight)
    assert effect == Effect(), effect
    return screen


def seeing(frame: Frame | None) -> Sight:
    """The sight of a frame."""
    return replace(SIGHT, frame=frame)


class TableTests(SynchronousTestCase):
    """The table of rules."""

    def test_every_action(self) -> None:
        """Every action has a rule, and there is no other."""
        self.assertEqual(set(Action), set(_RULES))

    def test_effects(self) -> None:
        """Some keys are the caller's to follow, and change nothing here."""
        screen = Screen((Place(selected=key_of(3)),), notice="old")
        replay = replace(SIGHT, replay=True)
        for key, effect in (
            ("q", Effect(Do.QUIT)),
            ("Q", Effect(Do.QUIT)),
            ("F10", Effect(Do.QUIT)),
            ("^C", Effect(Do.QUIT)),
            ("W", Effect(Do.KEEP)),
            (",", Effect(Do.STEP, step=-1)),
            (".", Effect(Do.STEP, step=1)),
            ("[", Effect(Do.SPEED, step=-1)),
            ("]", Effect(Do.SPEED, step=1)),
        ):
            found = pressed(screen, key, sight=replay)
            self.assertEqual((replace(screen, notice=""), effect), found, key)

    def test_replay_only(self) -> None:
        """The keys of recordings do nothing without one."""
        for key in ",.[]J":
            self.assertEqual(Screen(), after(Screen(), key))

    def test_a_recording_has_a_pace_of_its_own(self) -> None:
        """There the keys of updates say so, and change nothing."""
        for key in "+-d":
            screen, effect = pressed(Screen(), key, sight=replace(SIGHT, replay=True))
            said = "a recording has its own pace: [ and ]"
            self.assertEqual((Screen(notice=said), Effect()), (screen, effect))
            self.assertNotEqual(said, after(Screen(), key).notice)

    def test_no_meaning(self) -> None:
        """Other keys do nothing, but what was said is said no more."""
        for key in ("x", "F2", "é", "Alt-q", "Ctrl-Up"):
            self.assertEqual(
                Screen(), after(Screen(notice="a", notice_is_error=True), key)
            )

    def test_redraw(self) -> None:
        """^L draws afresh, whatever is shown, and leaves that as it is."""
        for screen in (
            Screen(notice="a"),
            Screen(mode=Mode.HELP, scroll=3),
            Screen(mode=Mode.LOG),
            Screen(mode=Mode.SORT, scroll=3),
            Screen(prompt=Prompt(Asking.SEARCH, "a", 1)),
        ):
            self.assertEqual((screen, Effect(Do.REDRAW)), pressed(screen, "^L"))

    def test_paste(self) -> None:
        """Pasted text is ignored outside prompts, be it the letters of keys."""
        for mode in Mode:
            screen = Screen(mode=mode, notice="a")
            for text in ("q", "", "\x03", "2", "q\n"):
                self.assertEqual(screen, after(screen, PASTE + text))

    @QUICK
    @given(
        st.lists(st.sampled_from(KEYS) | st.text(max_size=3).map(PASTE.__add__)),
        st.booleans(),
    )
    def test_any_keys(self, keys: list[str], replay: bool) -> None:
        """Any keys leave a screen that keys can go on from, with or without rows."""
        for frame in (FRAME, a_frame(), None):
            sight = replace(SIGHT, frame=frame, replay=replay)
            screen = Screen()
            for key in keys:
                place = screen.place
                matching = place.view == PROGRAMS and not place.scope
                screen, effect = press(screen, key, sight if matching else seeing(None))
                self.assertIn(screen.place.view, VIEWS)
                self.assertIn(screen.choices.view, VIEWS)
                self.assertFalse(key.startswith(PASTE) and effect.do is Do.QUIT)
                self.assertTrue(screen.prompt is None or screen.mode is Mode.TABLE)


class MoveTests(SynchronousTestCase):
    """The keys that move the cursor, with 20 rows of which 5 are seen."""

    def selected(self, *keys: str, at: int | None = None) -> object:
        """Where the keys lead to."""
        place = (
            Place() if at is None else Place(selected=key_of(at), line=2, first=at - 2)
        )
        return after(Screen((place,)), *keys).place.selected

    def test_rows(self) -> None:
        """Arrows and the letters beside them move by one row."""
        self.assertEqual(key_of(2), self.selected("Down", "j"))
        self.assertEqual(key_of(3), self.selected("Up", "k", at=5))

    def test_pages(self) -> None:
        """A page keeps one row of the last one in sight."""
        self.assertEqual(key_of(4), self.selected("PgDn"))
        self.assertEqual(key_of(8), self.selected("PgDn", "^F"))
        self.assertEqual(key_of(2), self.selected("PgUp", "^B", at=10))

    def test_ends(self) -> None:
        """Both ends are one key away, and are not passed."""
        for key in ("End", "G"):
            self.assertEqual(key_of(19), self.selected(key, "Down", "PgDn"))
        for key in ("Home", "g"):
            screen = Screen((Place(selected=key_of(9), line=2, first=7),))
            self.assertEqual(Screen(), after(screen, key))

    def test_other_levels_stay(self) -> None:
        """Only the innermost place is moved in."""
        screen = Screen((Place(HOSTS), Place()))
        moved = after(screen, "Down")
        self.assertEqual(Place(HOSTS), moved.places[0])
        self.assertEqual(key_of(1), moved.place.selected)

    def test_without_rows(self) -> None:
        """Without a frame, or without rows, keys lead nowhere."""
        for frame in (None, a_frame()):
            for key in ("Up", "Down", "PgUp", "PgDn", "Home", "End"):
                self.assertEqual(Screen(), after(Screen(), key, sight=seeing(frame)))

    def test_no_room(self) -> None:
        """With room for one row or none, a page is a row."""
        for page in (0, 1, 2):
            sight = replace(SIGHT, page=page)
            screen = after(Screen(), "PgDn", "PgDn", sight=sight)
            self.assertEqual(key_of(2), screen.place.selected)


ROWS: dict[str, dict[str, Any]] = {
    HOSTS: {"hostname": "a"},
    PROGRAMS: {"hostname": "a", "progname": "p", "alert": "ok"},
    PROCESSES: {
        "hostname": "a",
        "progname": "p",
        "pid": 7,
        "process": "t",
        "node": "n",
    },
    POOLS: {"hostname": "a", "progname": "p", "pid": 7, "process": "t", "pool_id": 1},
    CONNECTIONS: {
        "hostname": "a",
        "progname": "p",
        "pid": 7,
        "process": "t",
        "pool_id": 1,
        "connection": 9,
        "state": "out",
        "site": "a.py:1 f",
        "tag": "web",
    },
    NODES: {"node": "n", "address": "n:1", "state": "up"},
    EVENTS: {
        "hostname": "a",
        "progname": "p",
        "severity": "info",
        "origin": "o",
        "sequence": 1,
    },
    TIMEOUTS: {"hostname": "a", "progname": "p", "process": "t", "number": 1},
    SERVERS: {"server": "db:3306"},
    SHARES: {"server": "db:3306", "hostname": "a", "progname": "p"},
}
"""A fleet of one connection."""


class DrillTests(SynchronousTestCase):
    """Opening rows and going back, with a node that answers."""

    def viewer(self, view: str) -> Viewer:
        """A viewer who looks at a view of a small fleet."""
        node = Node(**{name: [a_row(name, **row)] for name, row in ROWS.items()})
        viewer = Viewer(node, 5, Screen((Place(view),)))
        viewer.calm()
        return viewer

    def test_from_each_view(self) -> None:
        """Enter leads on and on to what is narrower, and as many Esc back again."""
        last = [PROCESSES, POOLS, CONNECTIONS]
        for view, expected in {
            HOSTS: [PROGRAMS, *last],
            PROGRAMS: last,
            PROCESSES: last[1:],
            POOLS: last[2:],
            CONNECTIONS: [],
            CHECKOUTS: [CONNECTIONS],
            NODES: last,
            EVENTS: last,
            SITES: [CHECKOUTS, CONNECTIONS],
            TAGS: [CHECKOUTS, CONNECTIONS],
            SERVERS: [SHARES, *last],
            SHARES: last,
        }.items():
            viewer = self.viewer(view)
            begun, seen = viewer.screen, []
            for _ in range(6):
                viewer.pressed("Enter")
                viewer.calm()
                self.assertEqual(1, len(viewer.seen))
                seen.append(viewer.place.view)
            self.assertEqual(expected, seen[: len(expected)])
            self.assertEqual(len(expected) + 1, len(viewer.screen.places))
            self.assertEqual("there is nothing to open here", viewer.screen.notice)
            for inner in ([view, *expected][:-1])[::-1]:
                viewer.pressed("Esc")
                viewer.calm()
                self.assertEqual(inner, viewer.place.view)
            self.assertEqual(begun.places, viewer.screen.places)

    def test_a_timeout(self) -> None:
        """Enter shows it whole, another leads on to its processes; Esc goes back."""
        viewer = self.viewer(TIMEOUTS)
        viewer.pressed("Enter")
        viewer.calm()
        whole = viewer.screen
        self.assertEqual((Mode.WHOLE, TIMEOUTS), (whole.mode, whole.place.view))
        self.assertEqual(("t", 1), whole.place.selected)
        viewer.pressed("Enter")
        viewer.calm()
        self.assertEqual(
            (Mode.TABLE, PROCESSES), (viewer.screen.mode, viewer.place.view)
        )
        self.assertEqual(1, len(viewer.seen))
        viewer.pressed("Esc")
        self.assertEqual(replace(whole, mode=Mode.TABLE), viewer.screen)
        viewer.pressed("Enter", "Down", "Esc")
        self.assertEqual(replace(whole, mode=Mode.TABLE), viewer.screen)

    def test_shown_whole_with_nothing_below(self) -> None:
        """Enter on a finding shows it whole, and another returns to the findings."""
        advice = a_frame(ADVICE, [a_row(ADVICE, rule="leak", progname="p")])
        sight = seeing(advice)
        begun = Screen((Place(ADVICE),))
        whole = after(begun, "Enter", sight=sight)
        self.assertEqual(Mode.WHOLE, whole.mode)
        back = replace(whole, mode=Mode.TABLE)
        self.assertEqual(back, after(whole, "Enter", sight=sight))
        self.assertEqual(back, after(whole, "Enter", sight=seeing(None)))

    def test_keys(self) -> None:
        """Right opens like Enter; Left and Backspace go back like Esc."""
        for there in ("Enter", "Right"):
            for back in ("Esc", "Left", "Backspace"):
                opened = after(Screen(), there)
                self.assertEqual(PROCESSES, opened.place.view)
                self.assertEqual(Screen(), after(opened, back, sight=seeing(None)))

    def test_cursor_on_return(self) -> None:
        """Back, the cursor is where it was."""
        screen = after(Screen(), "Down", "Down", "Enter")
        self.assertEqual(("ctl1 p02",), screen.place.title)
        screen = after(screen, "Esc", sight=seeing(None))
        self.assertEqual(Place(selected=key_of(2), line=2), screen.place)

    def test_not_there_yet(self) -> None:
        """A row that is still on its way is not opened, and nothing is said."""
        far = Screen((Place(target=50),))
        frame = replace(FRAME, count=99)
        self.assertEqual(far, after(far, "Enter", sight=seeing(frame)))
        self.assertEqual(Screen(), after(Screen(), "Enter", sight=seeing(None)))

    def test_nothing_to_open(self) -> None:
        """Without any row it is said that there is nothing."""
        screen = after(Screen(), "Enter", sight=seeing(a_frame()))
        self.assertEqual("there is nothing to open here", screen.notice)

    def test_back_drops_the_filter_first(self) -> None:
        """What was narrowed last is taken back first: the filter, then the level."""
        screen = Screen((Place(where="a"), Place(PROCESSES, where="b")))
        screen = after(screen, "Esc")
        self.assertEqual((Place(where="a"), Place(PROCESSES)), screen.places)
        screen = after(screen, "Esc")
        self.assertEqual((Place(where="a"),), screen.places)
        screen = after(screen, "Esc")
        self.assertEqual(Screen(), screen)
        self.assertEqual(Screen(), after(screen, "Esc"))

    def test_tree_in_a_host(self) -> None:
        """The host's row in a tree is opened once, and not within itself."""
        node = Node(programs=programs(3))
        viewer = Viewer(node, 5)
        viewer.pressed("t")
        viewer.calm()
        for expected in (2, 2):
            viewer.pressed("Enter")
            viewer.calm()
            self.assertEqual(expected, len(viewer.screen.places))
        self.assertEqual((("hostname", "ctl1"),), viewer.place.scope)

    def test_summed_up(self) -> None:
        """The key b leads to the lines of a row, then to tags, then to checkouts."""
        for view, before in (
            (PROGRAMS, []),
            (HOSTS, []),
            (PROCESSES, []),
            (POOLS, []),
            (CONNECTIONS, []),
            (PROGRAMS, [PROCESSES, POOLS, CONNECTIONS]),
        ):
            viewer = self.viewer(view)
            for _ in before:
                viewer.pressed("Enter")
                viewer.calm()
            begun = viewer.screen
            scope = viewer.place.scope
            for expected in (SITES, TAGS, CHECKOUTS, SITES):
                viewer.pressed("b")
                viewer.calm()
                self.assertEqual(expected, viewer.place.view)
                self.assertEqual(1, len(viewer.seen), (view, expected))
                self.assertEqual(len(begun.places) + 1, len(viewer.screen.places))
                if before:
                    self.assertEqual(scope, viewer.place.scope)
            viewer.pressed("Esc")
            viewer.calm()
            self.assertEqual(begun.places, viewer.screen.places)

    def test_summed_up_as_a_view(self) -> None:
        """Without having drilled down, b goes from view to view, as digits do."""
        screen = after(Screen((Place(CHECKOUTS, where="a"),)), "b")
        self.assertEqual((Place(SITES, where="a"),), screen.places)
        self.assertEqual((SITES, "by call site"), (screen.choices.view, screen.notice))
        screen = after(screen, "b")
        self.assertEqual((Place(TAGS, where="a"),), screen.places)
        self.assertEqual("by tag", screen.notice)
        screen = after(screen, "b")
        self.assertEqual((Place(CHECKOUTS, where="a"),), screen.places)
        self.assertEqual("each by itself", screen.notice)
        screen = after(Screen((Place(CHECKOUTS, where="uses>1"),)), "b")
        self.assertEqual((Place(SITES),), screen.places)
        self.assertIn("filter dropped: ", screen.notice)

    def test_nothing_to_sum_up(self) -> None:
        """It is said."""
        screen = Screen((Place(NODES),))
        for frame in (None, a_frame(NODES)):
            found = after(screen, "b", sight=seeing(frame))
            self.assertEqual("there is nothing to sum up here", found.notice)
            self.assertEqual(screen.places, found.places)


class ViewTests(SynchronousTestCase):
    """Going from view to view."""

    def test_keys(self) -> None:
        """Each leads to its view, in the order of the views, and to its first row."""
        keyed = [each for each in ORDER if each != TAGS]
        for key, view in zip("1234567890DPV", keyed, strict=True):
            for begin in set(VIEWS) - {view}:
                screen = Screen((Place(begin, selected=key_of(3), line=2),))
                found = after(screen, key)
                self.assertEqual((Place(view),), found.places)
                self.assertEqual(view, found.choices.view)

    def test_order(self) -> None:
        """Tab goes through all views and around, Shift-Tab the other way."""
        self.assertEqual(set(VIEWS), set(ORDER))
        for key, order in (("Tab", ORDER), ("Shift-Tab", ORDER[:1] + ORDER[:0:-1])):
            screen, seen = Screen(), []
            for _ in ORDER:
                seen.append(screen.place.view)
                screen = after(screen, key)
            self.assertEqual(list(order), seen)
            self.assertEqual(PROGRAMS, screen.place.view)

    def test_own_key(self) -> None:
        """A view's own key leads out of what was opened in it, and else nowhere."""
        root = Place(selected=key_of(3), line=2, where="p")
        screen = Screen((root, Place(PROCESSES), Place(POOLS)))
        self.assertEqual((root,), after(screen, "1").places)
        self.assertEqual((root,), after(Screen((root,)), "1").places)

    def test_tab_from_within(self) -> None:
        """Tab counts from the view that one drilled down from."""
        screen = Screen((Place(HOSTS), Place(PROGRAMS), Place(PROCESSES)))
        self.assertEqual((Place(CHECKOUTS),), after(screen, "Tab").places)

    def test_filter_goes_along(self) -> None:
        """A filter that means something in the next view goes on there."""
        screen = after(Screen((Place(where="ctl1 conn>5"),)), "2")
        self.assertEqual((Place(HOSTS, where="ctl1 conn>5"),), screen.places)
        self.assertEqual("", screen.notice)

    def test_filter_dropped(self) -> None:
        """One that does not is dropped, which is said."""
        screen = after(Screen((Place(where="pool_worst>80%"),)), "4")
        self.assertEqual((Place(NODES),), screen.places)
        self.assertTrue(screen.notice.startswith("filter dropped: 'pool_worst>80%'"))
        self.assertTrue(screen.notice_is_error)
        self.assertEqual("", after(screen, "2").notice)

    def test_filter_of_what_was_opened(self) -> None:
        """A filter of what was opened is left behind with it."""
        screen = Screen((Place(where="a"), Place(PROCESSES, where="pid=7")))
        self.assertEqual((Place(HOSTS, where="a"),), after(screen, "2").places)

    def test_every_filter_that_is_kept_is_understood(self) -> None:
        """From view to view, no filter is left that the node would refuse."""
        for text, view in (
            ("conn>5", HOSTS),
            ("state:up", NODES),
            ("state:out", CONNECTIONS),
            ("severity=crit", EVENTS),
            ("progname:a", POOLS),
            ("hold_p99_seconds>1m", POOLS),
            ("x", PROGRAMS),
        ):
            for key in "12345678":
                screen = after(Screen((Place(view, where=text),)), key)
                checked(query(screen, 5))
                self.assertEqual(screen.where == text, not screen.notice_is_error)


class TreeTests(SynchronousTestCase):
    """t, for programs below their hosts."""

    def test_toggle(self) -> None:
        """Among programs it is put on and off; the cursor stays."""
        root = Place(selected=key_of(3), line=2)
        for key in ("t", "F5"):
            screen = after(Screen((root,)), key)
            self.assertEqual((True, (root,)), (screen.choices.tree, screen.places))
            screen = after(screen, key)
            self.assertEqual((False, (root,)), (screen.choices.tree, screen.places))

    def test_from_elsewhere(self) -> None:
        """From anywhere else it leads to the tree, be it on already or not."""
        for tree in (False, True):
            for places in ((Place(NODES),), (Place(), Place(PROCESSES))):
                screen = after(Screen(places, Choices(tree=tree)), "t")
                self.assertTrue(screen.choices.tree)
                self.assertEqual((Place(),), screen.places)

    def test_within_a_host(self) -> None:
        """Among the programs of one host one stays there."""
        places = (Place(HOSTS), Place(PROGRAMS, (("hostname", "a"),)))
        screen = after(Screen(places), "t")
        self.assertEqual((True, places), (screen.choices.tree, screen.places))


class ChoiceTests(SynchronousTestCase):
    """What the viewer likes to see."""

    def test_toggles(self) -> None:
        """Each choice of two is put on and off, and what holds now is said."""
        for key, name, on, off in (
            ("i", "busy", "what is idle is hidden", "what is idle is shown"),
            ("u", "exact", "durations in plain seconds", "durations by size"),
            ("H", "short_names", "short host names", "full host names"),
            ("A", "alerts_first", "alerts on top", "alerts in order"),
        ):
            screen = Screen()
            for _ in range(2):
                before = getattr(screen.choices, name)
                screen = after(screen, key)
                change: dict[str, Any] = {name: not before}
                self.assertEqual(replace(Choices(), **change), screen.choices)
                self.assertEqual(off if before else on, screen.notice)

    def test_columns(self) -> None:
        """The key m goes through the sets of a view and around, for each view."""
        for view in VIEWS:
            names = columns.sets(view)
            screen, seen = Screen((Place(view),)), []
            for _ in names:
                seen.append(columns.chosen(view, screen.choices))
                screen = after(screen, "m")
            self.assertEqual(list(names), seen)
            self.assertEqual(names[0], columns.chosen(view, screen.choices))
            if len(names) > 1:
                self.assertEqual({view: names[0]}, screen.choices.sets)
                self.assertEqual(f"columns: {names[0]}", screen.notice)
            else:
                self.assertEqual({}, screen.choices.sets)
                self.assertEqual("this view has one set of columns", screen.notice)

    def test_unknown_columns(self) -> None:
        """A set that was kept, and that there is no more, counts as the first."""
        screen = Screen(choices=Choices(sets={PROGRAMS: "nosuch"}))
        self.assertEqual({PROGRAMS: "max"}, after(screen, "m").choices.sets)

    def test_theme(self) -> None:
        """T goes through the themes and around, each drawn at once."""
        screen, seen = Screen(), []
        for _ in THEMES:
            seen.append(screen.choices.theme)
            screen, effect = pressed(screen, "T")
            self.assertEqual(Effect(Do.REDRAW), effect)
            self.assertEqual(f"theme: {screen.choices.theme}", screen.notice)
        self.assertEqual(list(THEMES), seen)
        self.assertEqual(THEMES[0], screen.choices.theme)

    def test_unknown_theme(self) -> None:
        """After a theme that nobody knows comes the first."""
        screen, _ = pressed(Screen(choices=Choices(theme="nosuch")), "T")
        self.assertEqual(THEMES[0], screen.choices.theme)

    def test_reset(self) -> None:
        """= shows all rows in the view's own order; what is seen of them stays."""
        choices = Choices(
            sorts={PROGRAMS: "-conn", HOSTS: "-ckout"},
            sets={PROGRAMS: "wait"},
            alerts_first=False,
            busy=True,
            tree=True,
        )
        screen = after(Screen((Place(where="a", selected=key_of(3)),), choices), "=")
        self.assertEqual((Place(selected=key_of(3)),), screen.places)
        self.assertEqual(
            replace(choices, sorts={HOSTS: "-ckout"}, alerts_first=True, busy=False),
            screen.choices,
        )

    def test_pause(self) -> None:
        """Space stops the updates and starts them."""
        screen = after(Screen(), " ")
        self.assertEqual(Screen(paused=True), screen)
        self.assertEqual(Screen(), after(screen, " "))

    def test_choices_are_not_shared(self) -> None:
        """A key makes new choices; those before stay as they were."""
        kept = Choices()
        after(Screen(choices=kept), "c", "m", "2", "c", "m", "i")
        self.assertEqual(Choices(), kept)


class TextTests(SynchronousTestCase):
    """The help and the log, of which seven lines do not fit."""

    def test_open(self) -> None:
        """Their keys show them from the first line."""
        for key in ("F1", "?", "h"):
            self.assertEqual(Screen(mode=Mode.HELP), after(Screen(), key))
        self.assertEqual(Screen(mode=Mode.LOG), after(Screen(), "L"))

    def test_scroll(self) -> None:
        """The keys that move scroll, as far as there are lines."""
        for mode in (Mode.HELP, Mode.LOG):
            for keys, line in (
                ("Down j", 2),
                ("Down Up Up", 0),
                ("PgDn", 4),
                ("PgDn PgDn", 7),
                ("PgDn PgUp", 0),
                ("End", 7),
                ("G Down", 7),
                ("End Home", 0),
            ):
                screen = after(Screen(mode=mode), *keys.split())
                self.assertEqual(Screen(mode=mode, scroll=line), screen, keys)

    def test_fewer_lines(self) -> None:
        """A scroll that is too far by now goes on from the last line."""
        screen = Screen(mode=Mode.LOG, scroll=50)
        self.assertEqual(6, after(screen, "Up").scroll)
        self.assertEqual(7, after(screen, "Down").scroll)

    def test_any_key_returns(self) -> None:
        """Any other key returns to the table, and does nothing else."""
        moving = {
            Action.UP,
            Action.DOWN,
            Action.PAGE_UP,
            Action.PAGE_DOWN,
            Action.TOP,
            Action.BOTTOM,
            Action.REDRAW,
        }
        for mode in (Mode.HELP, Mode.LOG):
            for key in (*KEYS, "x", "F2"):
                if action(key) not in moving:
                    screen = Screen(mode=mode, scroll=3)
                    self.assertEqual(Screen(), after(screen, key), key)


class StackTests(SynchronousTestCase):
    """Where the holder of the connection under the cursor is."""

    def seeing(self, view: str = CONNECTIONS, **values: Any) -> tuple[Screen, Sight]:
        """A screen with one connection."""
        values = {"process": "3fa2", "connection": 7, **values}
        sight = seeing(a_frame(view, [a_row(view, **values)]))
        return Screen((Place(view),)), sight

    def test_it_is_asked_for(self) -> None:
        """By the process's token and the connection's number."""
        for view in (CONNECTIONS, CHECKOUTS):
            for values in ({"state": "out"}, {"state": "disposed"}, {}):
                screen, sight = self.seeing(view, **values)
                found, effect = pressed(screen, "s", sight=sight)
                shown = replace(screen, mode=Mode.STACK, held=("3fa2", 7))
                self.assertEqual(shown, found)
                self.assertEqual(Effect(Do.STACK, "3fa2", 7), effect)

    def test_what_has_none(self) -> None:
        """Nothing is asked, and why is said."""
        idle, of_idle = self.seeing(state="idle")
        screen, sight = self.seeing()
        for where, seen, said in (
            (Screen(), SIGHT, "stacks are of connections: 3 or 8 shows them"),
            (idle, of_idle, "nobody has this connection now"),
            (screen, seeing(None), "there is no connection here"),
            (screen, seeing(a_frame(CONNECTIONS)), "there is no connection here"),
            (screen, replace(sight, replay=True), "a recording has no stacks"),
        ):
            found = after(where, "s", sight=seen)
            self.assertEqual((said, Mode.TABLE), (found.notice, found.mode))

    def test_again(self) -> None:
        """The same is asked for, whatever is under the cursor by now."""
        screen, sight = self.seeing()
        screen, _ = pressed(screen, "s", "Down", "Down", sight=sight)
        self.assertEqual(2, screen.scroll)
        found, effect = pressed(screen, "s", sight=seeing(None))
        self.assertEqual((screen, Effect(Do.STACK, "3fa2", 7)), (found, effect))

    def test_it_is_left(self) -> None:
        """By any other key."""
        screen, sight = self.seeing()
        shown, _ = pressed(screen, "s", sight=sight)
        for key in ("Esc", "q", "x", "L"):
            self.assertEqual(Mode.TABLE, after(shown, key, sight=sight).mode)

    def test_what_is_asked_for_has_what_it_needs(self) -> None:
        """Whatever columns are shown."""
        for view in (CONNECTIONS, CHECKOUTS):
            for name in columns.sets(view):
                screen = Screen((Place(view),), Choices(sets={view: name}))
                asked = query(screen, 5).fields
                self.assertLessEqual({"process", "connection"}, set(asked))
