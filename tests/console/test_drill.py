"""Opening rows: where each view leads to, and the words for where one is then."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.console import columns
from connmon.console.asking import query
from connmon.console.choices import Choices
from connmon.console.drill import opened, summed_up
from connmon.console.place import Place, Screen
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
    TAGS,
    TIMEOUTS,
    VIEWS,
)
from tests.console.viewer import Node, a_row

ROW = {
    "hostname": "ctl1",
    "progname": "nova-api",
    "pid": 11200,
    "process": "token",
    "node": "node1",
    "pool_id": 3,
    "pool_name": "mysql://db/nova",
    "connection": 17,
    "site": "orders.py:88 create",
    "tag": "web",
}
"""All that opening may look at; no view has all of it."""

PROGRAM = (("hostname", "ctl1"), ("progname", "nova-api"))
PROCESS = (("process", "token"),)
POOL = (("process", "token"), ("pool_id", 3))


def row(view: str, **changes: Any) -> dict[str, Any]:
    """A row of a view."""
    names = {each.name for each in VIEWS[view].fields}
    return {name: each for name, each in {**ROW, **changes}.items() if name in names}


def then(*views: str) -> Place:
    """The place after opening a row of each of these, one within the other."""
    place = Place(views[0])
    for view in views:
        assert place.view == view
        inner = opened(place, row(view))
        assert inner is not None
        place = inner
    return place


class OpenedTests(SynchronousTestCase):
    """``opened`` of rows as they are."""

    def test_program(self) -> None:
        """A program leads to its processes."""
        self.assertEqual(Place(PROCESSES, PROGRAM, ("ctl1 nova-api",)), then(PROGRAMS))

    def test_process(self) -> None:
        """A process leads to its pools."""
        self.assertEqual(
            Place(POOLS, PROCESS, ("ctl1 nova-api pid 11200",)), then(PROCESSES)
        )

    def test_pool(self) -> None:
        """A pool leads to its connections."""
        self.assertEqual(
            Place(CONNECTIONS, POOL, ("ctl1 nova-api pid 11200", "mysql://db/nova")),
            then(POOLS),
        )

    def test_all_the_way(self) -> None:
        """From a program to single connections, each level names what is new."""
        self.assertEqual(
            Place(CONNECTIONS, POOL, ("ctl1 nova-api", "pid 11200", "mysql://db/nova")),
            then(PROGRAMS, PROCESSES, POOLS),
        )

    def test_host(self) -> None:
        """A host leads to its programs, and those on as ever."""
        self.assertEqual(
            Place(PROGRAMS, (("hostname", "ctl1"),), ("ctl1",)), then(HOSTS)
        )
        self.assertEqual(
            Place(PROCESSES, PROGRAM, ("ctl1", "nova-api")), then(HOSTS, PROGRAMS)
        )

    def test_node(self) -> None:
        """A node leads to the processes linked to it, whose programs are named."""
        self.assertEqual(
            Place(PROCESSES, (("node", "node1"),), ("node node1",)), then(NODES)
        )
        self.assertEqual(
            ("node node1", "ctl1 nova-api pid 11200"), then(NODES, PROCESSES).title
        )

    def test_checkout(self) -> None:
        """A checkout leads to itself among the connections of its pool."""
        self.assertEqual(
            Place(
                CONNECTIONS,
                POOL,
                ("ctl1 nova-api pid 11200", "mysql://db/nova"),
                selected=("token", 17),
            ),
            then(CHECKOUTS),
        )

    def test_site_and_tag(self) -> None:
        """Each leads to its checkouts, within what the place was narrowed to."""
        site, tag = ("site", "orders.py:88 create"), ("tag", "web")
        self.assertEqual(
            Place(CHECKOUTS, (site,), ("orders.py:88 create",)), then(SITES)
        )
        self.assertEqual(Place(CHECKOUTS, (tag,), ("web",)), then(TAGS))
        inside = Place(SITES, PROGRAM, ("ctl1 nova-api",))
        self.assertEqual(
            Place(
                CHECKOUTS, (*PROGRAM, site), ("ctl1 nova-api", "orders.py:88 create")
            ),
            opened(inside, row(SITES)),
        )
        for view, name, words in (
            (SITES, "site", "line not known"),
            (TAGS, "tag", "no tag"),
        ):
            self.assertEqual(
                Place(CHECKOUTS, ((name, None),), (words,)),
                opened(Place(view), row(view, **{name: None})),
            )

    def test_a_checkout_of_a_site(self) -> None:
        """It leads on to its pool, whose program was named if it was."""
        self.assertEqual(
            (
                "orders.py:88 create",
                "ctl1 nova-api pid 11200",
                "mysql://db/nova",
            ),
            then(SITES, CHECKOUTS).title,
        )
        inner = opened(Place(SITES, PROGRAM, ("ctl1 nova-api",)), row(SITES))
        assert inner is not None
        found = opened(inner, row(CHECKOUTS))
        assert found is not None
        self.assertEqual(
            ("ctl1 nova-api", "orders.py:88 create", "pid 11200", "mysql://db/nova"),
            found.title,
        )

    def test_summed_up(self) -> None:
        """The lines that hold what a row stands for, or what is listed."""
        for view, scope, title in (
            (HOSTS, (("hostname", "ctl1"),), ("ctl1",)),
            (PROGRAMS, PROGRAM, ("ctl1 nova-api",)),
            (PROCESSES, PROCESS, ("ctl1 nova-api pid 11200",)),
            (POOLS, POOL, ("ctl1 nova-api pid 11200", "mysql://db/nova")),
            (EVENTS, PROGRAM, ("ctl1 nova-api",)),
            (TIMEOUTS, PROGRAM, ("ctl1 nova-api",)),
            (CONNECTIONS, (), ()),
        ):
            self.assertEqual(
                Place(SITES, scope, title), summed_up(Place(view), row(view)), view
            )
        listed = Place(CONNECTIONS, POOL, ("a", "b"), selected=("token", 17))
        self.assertEqual(Place(SITES, POOL, ("a", "b")), summed_up(listed, None))

    def test_nothing_to_sum_up(self) -> None:
        """A node is no holder, nor is an event of the service; nor is no row."""
        self.assertEqual(None, summed_up(Place(NODES), row(NODES)))
        self.assertEqual(None, summed_up(Place(EVENTS), row(EVENTS, progname=None)))
        self.assertEqual(None, summed_up(Place(PROGRAMS), None))

    def test_event(self) -> None:
        """An event leads to the processes of its program."""
        self.assertEqual(Place(PROCESSES, PROGRAM, ("ctl1 nova-api",)), then(EVENTS))
        self.assertEqual(Place(PROCESSES, PROGRAM, ("ctl1 nova-api",)), then(TIMEOUTS))

    def test_nameless_pool(self) -> None:
        """A pool without a name goes by its number."""
        inner = opened(Place(POOLS), row(POOLS, pool_name=""))
        assert inner is not None
        self.assertEqual("pool 3", inner.title[-1])

    def test_nothing_below(self) -> None:
        """A connection is the last, and an event of the service has no program."""
        self.assertEqual(None, opened(Place(CONNECTIONS), row(CONNECTIONS)))
        for changes in ({"progname": None}, {"hostname": None}, {"progname": ""}):
            self.assertEqual(None, opened(Place(EVENTS), row(EVENTS, **changes)))

    def test_unknown_node(self) -> None:
        """A node whose name nobody knows yet leads nowhere."""
        self.assertEqual(None, opened(Place(NODES), row(NODES, node="")))

    def test_host_in_a_tree(self) -> None:
        """In a tree a host leads to its programs, but only once."""
        host = row(PROGRAMS, progname="")
        inner = opened(Place(PROGRAMS), host)
        self.assertEqual(Place(PROGRAMS, (("hostname", "ctl1"),), ("ctl1",)), inner)
        assert inner is not None
        self.assertEqual(None, opened(inner, host))

    def test_what_is_asked_for_is_enough(self) -> None:
        """With every set of columns, the node is asked for what opening looks at."""
        for view in set(VIEWS) - {CONNECTIONS}:
            for name in (*columns.sets(view), "unknown"):
                screen = Screen((Place(view),), Choices(sets={view: name}))
                asked = query(screen, 5)
                of_connections = view in (CHECKOUTS, SITES, TAGS)
                within = CONNECTIONS if of_connections else view
                given = {
                    **row(within),
                    **({"state": "out"} if of_connections else {}),
                }
                frame = Node(**{within: [a_row(within, **given)]}).answer(asked)
                got = dict(zip(frame.fields, frame.rows[0], strict=True))
                self.assertEqual(
                    opened(Place(view), row(view)), opened(Place(view), got), view
                )
