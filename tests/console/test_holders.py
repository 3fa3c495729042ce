"""Tests of stacks as they are asked for, and as they are written."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.holders import Whose, lacking, lines, objects, parse
from connmon.console.text import ASCII
from connmon.model.records import MOST, Identity
from connmon.model.stacks import Found, Stack, Told
from tests.console.fakes import NASTY

WHO = Identity("3fa2", "ctl1", "nova-api", 11200)
FIRST = Stack(
    12,
    38.2,
    "worker-3",
    "nova/api/orders.py:88 create",
    40211,
    "postgresql+psycopg2://db1.prod/nova",
    "import",
    ("threading.py:1002 Thread._bootstrap", "requests/sessions.py:589 Session.send"),
)
SECOND = Stack(3, 0.4, "worker-1", note="its thread has ended")
FOUND = Found(WHO, "node1", Told(2, (FIRST, SECOND)))

STACKS = st.builds(
    Stack,
    st.integers(0, MOST),
    st.floats(0, 1e9),
    NASTY,
    NASTY,
    st.none() | st.integers(0, MOST),
    NASTY,
    NASTY,
    st.lists(NASTY, max_size=3).map(tuple),
    NASTY,
)
FOUNDS = st.builds(
    Found,
    st.builds(Identity, NASTY, NASTY, NASTY, st.integers(0, MOST)),
    NASTY,
    st.builds(
        Told, st.integers(0, MOST), st.lists(STACKS, max_size=3).map(tuple), NASTY
    ),
)


class ParseTests(SynchronousTestCase):
    """``HOST:PID[:CONNECTION]``."""

    def test_what_is_meant(self) -> None:
        """It is read from its end; a host may have colons of its own."""
        for text, host, pid, connection in (
            ("ctl1:11200", "ctl1", 11200, None),
            ("ctl1.prod:11200:7", "ctl1.prod", 11200, 7),
            ("ctl-1:0:0", "ctl-1", 0, 0),
            ("fe80::1:11200", "fe80::1", 11200, None),
            ("fe80::a:11200:7", "fe80::a", 11200, 7),
            ("::1:11200", "::1", 11200, None),
            ("[fe80::1]:11200", "fe80::1", 11200, None),
            ("[fe80::1]:11200:7", "fe80::1", 11200, 7),
            ("a b:1", "a b", 1, None),
        ):
            self.assertEqual(Whose(None, host, pid, connection), parse(text), text)

    def test_what_means_nothing(self) -> None:
        """It is said what was expected."""
        for text in (
            "",
            "ctl1",
            "ctl1:",
            "ctl1:x",
            ":11200",
            "ctl1:-1",
            "ctl1:1.5",
            "ctl1:11200:",
            "ctl1:11200:x",
            "ctl1:x:7",
            "ctl1:1:2:",
            "[fe80::1]",
            "[fe80::1]:",
            "[fe80::1]:1:2:3",
            "[]:1",
            "ctl1:²",
            "ctl1:" + "1" * 19,
        ):
            with self.assertRaisesRegex(ValueError, "expected HOST:PID", msg=text):
                parse(text)

    @settings(deadline=None, max_examples=300, database=None)
    @given(st.text(st.sampled_from("ab:[]0123456789 é"), max_size=20))
    def test_whatever_is_typed(self, text: str) -> None:
        """Has a host and a pid, or is no such thing."""
        try:
            whose = parse(text)
        except ValueError:
            return
        self.assertTrue(whose.hostname)
        self.assertIn(str(whose.hostname), text)


class LackingTests(SynchronousTestCase):
    """Why there is nothing to be shown."""

    def test_nothing_lacks(self) -> None:
        """Then nothing is said."""
        self.assertEqual("", lacking((FOUND,), Whose(hostname="ctl1", pid=11200)))

    def test_what_is_said(self) -> None:
        """In one line, with the process if it is known."""
        by_pid = Whose(None, "ctl1", 11200)
        other = FOUND._replace(identity=Identity("77b0", "ctl1", "shop", 11200))
        for found, whose, said in (
            ((), by_pid, "no process 11200 at ctl1 is known"),
            ((), Whose("3fa2"), "no process 3fa2 is known"),
            (
                (FOUND, other),
                by_pid,
                "2 processes are 11200 at ctl1: 3fa2 (nova-api), 77b0 (shop)",
            ),
            (
                (FOUND._replace(told=Told(why="it has ended")),),
                by_pid,
                "ctl1 nova-api[11200]: it has ended",
            ),
            (
                (FOUND._replace(told=Told()),),
                by_pid,
                "ctl1 nova-api[11200]: it has no connection out",
            ),
            (
                (FOUND._replace(told=Told(2)),),
                by_pid._replace(connection=7),
                "ctl1 nova-api[11200]: connection 7 is not out",
            ),
        ):
            self.assertEqual(said, lacking(found, whose))


class TextTests(SynchronousTestCase):
    """``lines``."""

    def test_what_is_said(self) -> None:
        """Of each connection, and where its holder is, or why that is not known."""
        words = (
            "connection 12  out for 38.2s  worker-3  session 40211  "
            "postgresql+psycopg2://db1.prod/nova  tag import"
        )
        self.assertEqual(
            [
                "ctl1 nova-api[11200]",
                "",
                f"  {words}",
                "    checked out at nova/api/orders.py:88 create",
                "    now at, the most recent call last:",
                "      threading.py:1002 Thread._bootstrap",
                "      requests/sessions.py:589 Session.send",
                "",
                "  connection 3  out for 0.4s  worker-1",
                "    its thread has ended",
            ],
            lines(FOUND),
        )

    def test_some_of_them(self) -> None:
        """How many there are is said."""
        found = FOUND._replace(told=Told(300, (SECOND,)))
        self.assertEqual("ctl1 nova-api[11200]  1 of 300 that are out", lines(found)[0])

    @settings(deadline=None, max_examples=100, database=None)
    @given(st.lists(FOUNDS, max_size=3).map(tuple), NASTY)
    def test_it_is_harmless(self, found: tuple[Found, ...], name: str) -> None:
        """Whatever names a process tells."""
        for whose in (Whose(name), Whose(None, name, 7, 8)):
            self.assertTrue(lacking(found, whose).isprintable())
            self.assertTrue(lacking(found, whose, ASCII).isascii())
        for each in found:
            self.assertTrue("".join(lines(each)).isprintable())
            self.assertTrue("".join(lines(each, ASCII)).isascii())
            json.dumps(objects(each), allow_nan=False)


class JsonTests(SynchronousTestCase):
    """``objects``."""

    def test_one_for_each(self) -> None:
        """What is not known is null; a stack is a list of texts."""
        first, second = objects(FOUND)
        self.assertEqual(
            {
                "hostname": "ctl1",
                "progname": "nova-api",
                "pid": 11200,
                "process": "3fa2",
                "node": "node1",
                "pool_name": "postgresql+psycopg2://db1.prod/nova",
                "connection": 12,
                "server_session": 40211,
                "out_seconds": 38.2,
                "owner": "worker-3",
                "tag": "import",
                "site": "nova/api/orders.py:88 create",
                "stack": list(FIRST.frames),
                "note": None,
            },
            first,
        )
        self.assertEqual(
            (None, None, None, None, [], "its thread has ended"),
            tuple(
                second[each]
                for each in (
                    "pool_name",
                    "server_session",
                    "tag",
                    "site",
                    "stack",
                    "note",
                )
            ),
        )
