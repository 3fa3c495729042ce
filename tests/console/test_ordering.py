"""What rows are sorted by: the keys for it, and the menu of columns."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connmon.console import columns
from connmon.console.choices import Choices
from connmon.console.ordering import known
from connmon.console.place import Mode, Place, Screen
from connmon.console.pressing import Effect, Sight
from connmon.console.screen import press
from connmon.views.query import Query
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
from tests.console.viewer import Node, programs

SHOWN = ("hostname", "progname", "conn", "ckout", "pool_size", "history")
"""Columns that are seen; a history is nothing to sort by."""


def pressed(screen: Screen, *keys: str, shown: tuple[str, ...] = SHOWN) -> Screen:
    """The screen after keys that have no effect besides."""
    for key in keys:
        screen, effect = press(screen, key, Sight(page=5, columns=shown))
        assert effect == Effect(), effect
    return screen


def of(view: str = PROGRAMS, order: str = "") -> Screen:
    """A screen of a view that is sorted so."""
    return Screen((Place(view),), Choices(sorts={view: order} if order else {}))


def order(screen: Screen) -> str:
    """What was chosen to sort the view by, empty for its own order."""
    return screen.choices.sorts.get(screen.place.view, "")


class KeyTests(SynchronousTestCase):
    """The keys of single columns."""

    def test_letters(self) -> None:
        """Each has a column in all views that have such a thing."""
        for view, expected in {
            PROGRAMS: "-hostname -conn -ckout -waiting -oldest_seconds -ckoutpersec "
            "-pool_worst",
            HOSTS: "-hostname -conn -ckout -waiting -oldest_seconds -ckoutpersec "
            "-pool_worst",
            PROCESSES: "-hostname -conn -ckout -waiting -oldest_seconds -ckoutpersec "
            "-pool_worst",
            POOLS: "-hostname -conn -ckout -waiting -oldest_seconds ? -pool_used",
            CONNECTIONS: "hostname ? out_seconds ? out_seconds -uses ?",
            CHECKOUTS: "hostname ? out_seconds ? out_seconds -uses ?",
            NODES: "node -clients ? ? ? ? ?",
            EVENTS: "hostname ? ? ? -age_seconds ? ?",
            TIMEOUTS: "hostname ? ? -waiting -age_seconds ? ?",
            SITES: "site ? ckout -waiting -oldest_seconds ? -share",
            TAGS: "tag ? ckout -waiting -oldest_seconds ? -share",
            SERVERS: "hostname -conn -ckout ? ? ? ?",
            SHARES: "hostname -conn -ckout ? ? ? -share",
            ADVICE: "site ? ? ? ? ? ?",
        }.items():
            for key, wanted in zip("ncowarp", expected.split(), strict=True):
                found = pressed(of(view), key)
                if wanted == "?":
                    self.assertEqual("", order(found), (view, key))
                    self.assertEqual(f"{view} have no such column", found.notice)
                else:
                    self.assertEqual(wanted, order(found), (view, key))
                    self.assertEqual("", found.notice)

    def test_again(self) -> None:
        """The same key again is the other way round, and so on."""
        self.assertEqual("conn", order(pressed(of(), "c", "c")))
        self.assertEqual("-conn", order(pressed(of(), "c", "c", "c")))

    def test_each_view(self) -> None:
        """The order of one view is not that of another, and is there on return."""
        screen = pressed(of(), "c", "2", "o")
        self.assertEqual({PROGRAMS: "-conn", HOSTS: "-ckout"}, screen.choices.sorts)

    def test_reverse(self) -> None:
        """R and I turn the order that there is, be it the view's own."""
        for key in "RI":
            self.assertEqual("conn", order(pressed(of(order="-conn"), key)))
            self.assertEqual("-conn", order(pressed(of(order="conn"), key)))
            self.assertEqual("-hostname", order(pressed(of(), key)))
            self.assertEqual("out_seconds", order(pressed(of(CHECKOUTS), key)))

    def test_reverse_without_order(self) -> None:
        """What is in no order has no other way round."""
        screen = pressed(of(NODES), "R")
        self.assertEqual("", order(screen))
        self.assertEqual("not sorted yet: < and > choose a column", screen.notice)

    def test_aside(self) -> None:
        """< and > go to the columns beside, and stay at the outermost ones."""
        self.assertEqual("-ckout", order(pressed(of(order="-conn"), ">")))
        self.assertEqual("progname", order(pressed(of(order="-conn"), "<")))
        self.assertEqual("-pool_size", order(pressed(of(order="-ckout"), ">", ">")))
        self.assertEqual("", order(pressed(of(), "<")))

    def test_aside_keeps_the_direction(self) -> None:
        """At the outermost column the order stays as it is."""
        self.assertEqual("-hostname", order(pressed(of(order="-hostname"), "<")))
        self.assertEqual("pool_size", order(pressed(of(order="pool_size"), ">")))

    def test_aside_of_what_is_not_seen(self) -> None:
        """If that column is not seen, they begin at the left, or at the right."""
        self.assertEqual("hostname", order(pressed(of(order="-leaks"), ">")))
        self.assertEqual("-pool_size", order(pressed(of(order="-leaks"), "<")))

    def test_nothing_to_sort_by(self) -> None:
        """Without columns to sort by nothing happens."""
        for shown in ((), ("history",)):
            self.assertEqual("", order(pressed(of(), ">", "<", shown=shown)))

    def test_alerts_first(self) -> None:
        """A takes alerts from the top and puts them back, and says so."""
        screen = pressed(of(order="-conn"), "A")
        self.assertFalse(screen.choices.alerts_first)
        self.assertEqual("alerts in order", screen.notice)
        screen = pressed(screen, "A")
        self.assertTrue(screen.choices.alerts_first)
        self.assertEqual("alerts on top", screen.notice)
        self.assertEqual("-conn", order(screen))

    def test_unknown(self) -> None:
        """An order that was kept, and that no view has, is as good as none."""
        for key, expected in (
            ("R", "-hostname"),
            (">", "progname"),
            ("n", "-hostname"),
        ):
            self.assertEqual(expected, order(pressed(of(order="-nosuch"), key)))
        self.assertEqual("", known(PROGRAMS, "nosuch"))
        self.assertEqual("-conn", known(PROGRAMS, "-conn"))
        self.assertEqual("", known(PROGRAMS, ""))

    def test_all_orders_are_understood(self) -> None:
        """A node can sort by every column that may be chosen, either way."""
        node = Node(programs=programs(3))
        for view in VIEWS:
            for name in columns.sets(view):
                for each in columns.sortable(view, name):
                    for chosen in (each, f"-{each}"):
                        self.assertEqual(chosen, known(view, chosen))
                        node.answer(Query(view, sort=chosen))


class MenuTests(SynchronousTestCase):
    """F6, which lists all columns of the set in use."""

    def marked(self, screen: Screen) -> str:
        """The column that the mark is on."""
        self.assertIs(Mode.SORT, screen.mode)
        view, choices = screen.place.view, screen.choices
        names = columns.sortable(
            view, columns.chosen(view, choices), screen.place.scope
        )
        return names[screen.scroll]

    def test_open(self) -> None:
        """The mark is on the present column, or on the first one."""
        self.assertEqual("-conn", "-" + self.marked(pressed(of(order="-conn"), "F6")))
        self.assertEqual("hostname", self.marked(pressed(of(), "F6")))
        self.assertEqual("hostname", self.marked(pressed(of(order="leaks"), "F6")))
        self.assertEqual("hostname", self.marked(pressed(of(order="nosuch"), "F6")))

    def test_move(self) -> None:
        """The mark moves by one, by ten, and to both ends, and no further."""
        names = columns.sortable(PROGRAMS, "now")
        for keys, at in (
            ("Down", 1),
            ("Down j k", 1),
            ("Up", 0),
            ("PgDn", 10),
            ("PgDn PgUp", 0),
            ("End", len(names) - 1),
            ("PgDn PgDn PgDn", len(names) - 1),
            ("End Down", len(names) - 1),
            ("G Home", 0),
        ):
            screen = pressed(of(), "F6", *keys.split())
            self.assertEqual(names[at], self.marked(screen), keys)

    def test_take(self) -> None:
        """Enter takes the column that is marked, the way one wants it first."""
        for key in ("Enter", "Right"):
            screen = pressed(of(), "F6", *["Down"] * 4, key)
            self.assertEqual((Mode.TABLE, "-conn"), (screen.mode, order(screen)))
            self.assertEqual(0, screen.scroll)

    def test_take_the_present_one(self) -> None:
        """The present column, taken again, stays turned as it was."""
        screen = pressed(of(order="conn"), "F6", "Enter")
        self.assertEqual((Mode.TABLE, "conn"), (screen.mode, order(screen)))
        self.assertEqual("", order(pressed(of(), "F6", "Enter")))

    def test_leave(self) -> None:
        """Any other key leaves it, and does nothing else, not even the last of all."""
        for key in ("Esc", "Left", "Backspace", "F6", "q", "^C", "x", "2", "R", " "):
            screen = pressed(of(order="-conn"), "F6", "Down", key)
            self.assertEqual(of(order="-conn"), screen, key)

    def test_in_scope(self) -> None:
        """Columns that are the same in all rows are not there to choose from."""
        scope = (("hostname", "a"), ("progname", "b"))
        screen = Screen((Place(PROCESSES, scope),))
        screen = pressed(screen, "F6")
        self.assertEqual("pid", self.marked(screen))

    def test_another_set(self) -> None:
        """The columns are those of the set in use, and of the first if unknown."""
        for name, last in (
            ("totals", "connects_per_second"),
            ("nosuch", "ckoutpersec"),
        ):
            choices = Choices(sets={PROGRAMS: name})
            screen = pressed(Screen((Place(),), choices), "F6", "End")
            self.assertEqual(last, self.marked(screen))

    def test_never_empty(self) -> None:
        """Every view has something to sort by, however far one drilled down."""
        for view in VIEWS:
            for scope in (
                (),
                (("hostname", "a"), ("progname", "b")),
                (("process", "t"),),
                (("process", "t"), ("pool_id", 1)),
                (("node", "n"),),
            ):
                for name in columns.sets(view):
                    self.assertTrue(columns.sortable(view, name, scope))
