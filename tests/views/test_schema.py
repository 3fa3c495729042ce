"""The one list of views and fields, and what all others take for granted of it."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

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
    Kind,
    turned,
)


class SchemaTests(SynchronousTestCase):
    """Each view by itself."""

    def test_the_views(self) -> None:
        """There are fourteen, by the names that options use."""
        self.assertEqual(
            {
                PROGRAMS,
                HOSTS,
                PROCESSES,
                POOLS,
                CONNECTIONS,
                CHECKOUTS,
                NODES,
                EVENTS,
                TIMEOUTS,
                SITES,
                TAGS,
                SERVERS,
                SHARES,
                ADVICE,
            },
            set(VIEWS),
        )
        for name, view in VIEWS.items():
            self.assertEqual(name, view.name)

    def test_names_are_plain_words_and_unique(self) -> None:
        """So that they are keys of JSON, and can be typed in filters."""
        for view in VIEWS.values():
            names = [each.name for each in view.fields]
            self.assertEqual(len(names), len(set(names)), view.name)
            for name in names:
                self.assertTrue(re.fullmatch("[a-z][a-z0-9_]*", name), name)

    def test_a_heading_means_one_field(self) -> None:
        """No two columns look the same, and no heading is another field's name."""
        for view in VIEWS.values():
            headings = [each.heading.lower() for each in view.fields]
            self.assertEqual(len(headings), len(set(headings)), view.name)
            for each in view.fields:
                self.assertIs(each, view.field(each.heading), each)
                self.assertIs(each, view.field(each.heading.lower()), each)
                self.assertIs(each, view.field(each.name.upper()), each)

    def test_units_are_in_the_names(self) -> None:
        """Whatever is a duration says that it is in seconds, and nothing else does."""
        for view in VIEWS.values():
            for each in view.fields:
                self.assertEqual(
                    each.kind is Kind.SECONDS, each.name.endswith("_seconds"), each
                )

    def test_a_name_means_the_same_in_all_views(self) -> None:
        """A figure is of one kind wherever it is shown."""
        kinds: dict[str, Kind] = {}
        for view in VIEWS.values():
            for each in view.fields:
                self.assertIs(kinds.setdefault(each.name, each.kind), each.kind)

    def test_keys_and_orders_name_fields(self) -> None:
        """What tells rows apart, and what they are sorted by, is in the rows."""
        for view in VIEWS.values():
            names = {each.name for each in view.fields}
            self.assertTrue(view.key)
            self.assertLessEqual(set(view.key), names)
            self.assertLessEqual({each.removeprefix("-") for each in view.order}, names)

    def test_orders_of_what_a_board_has_leave_nothing_open(self) -> None:
        """They end in the key, so that rows are in the same order on every node."""
        for view in VIEWS.values():
            # Advice comes in the order of how bad it is, which no field says.
            if view.name not in (NODES, EVENTS, ADVICE):
                self.assertLessEqual(set(view.key), set(view.order), view.name)

    def test_a_field_that_there_is_not(self) -> None:
        """It is none, not the nearest."""
        for name in ("", "con", "conn ", "-conn", "CONN%"):
            self.assertIsNone(VIEWS[PROGRAMS].field(name))

    def test_what_is_meant(self) -> None:
        """A name or heading is one field; else it is all whose names begin so."""
        view = VIEWS[PROGRAMS]
        for typed, names in (
            ("conn", ["conn"]),
            ("CONNECTS", ["connects"]),
            ("Last 60s", ["history"]),
            ("Oldest_s", ["oldest_seconds"]),
            ("max", ["maxnproc", "maxconn", "maxckout", "max_overflow"]),
            ("last", []),
            ("-conn", []),
            ("", []),
        ):
            self.assertEqual(names, [each.name for each in view.meant(typed)], typed)

    def test_what_to_sort_by(self) -> None:
        """The view's own order breaks ties, and is turned round as a whole."""
        for name, sort, order in (
            (PROGRAMS, "", "hostname progname"),
            (PROGRAMS, "-ckout", "-ckout hostname progname"),
            (PROGRAMS, "-hostname", "-hostname -progname"),
            (EVENTS, "-age_seconds", "-age_seconds"),
            (TIMEOUTS, "-age_seconds", "-age_seconds -process -number"),
            (SITES, "", "-ckout -waiting site"),
            (TAGS, "tag", "tag -ckout -waiting tag"),
            (NODES, "", ""),
            (NODES, "-node", "-node"),
        ):
            self.assertEqual(order, " ".join(VIEWS[name].ordering(sort)), sort)
        for view in VIEWS.values():
            if view.order:
                back = view.ordering(turned(view.order[0]))
                self.assertEqual(view.order, tuple(map(turned, back)))

    def test_where_a_field_is(self) -> None:
        """Its index is its place in a row."""
        for view in VIEWS.values():
            for index, each in enumerate(view.fields):
                self.assertEqual(index, view.index(each.name))

    def test_what_is_a_number(self) -> None:
        """Counts, durations, rates and shares can be compared with one."""
        self.assertEqual(
            {Kind.COUNT, Kind.SECONDS, Kind.RATE, Kind.RATIO},
            {each for each in Kind if each.is_number},
        )
