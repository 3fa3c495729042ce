"""Tests of what is said of findings, to people and to machines."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.model.records import ABANDONED, COLLECTED, UNCLOSED
from connmon.run.telling import MOST_LINES, SILENT, as_object, as_text
from connmon.run.witness import KINDS, UNRETURNED, Finding, Verdict
from tests.run.seen import SITE, who


def a_finding(kind: str = UNRETURNED, **more: Any) -> Finding:
    """One connection."""
    words = {"seconds": 3.2, "owner": "MainThread", "site": SITE, "process": who()}
    return Finding(kind, pool="sqlite:///x.db", **{**words, **more})


def a_verdict(*findings: Finding, **more: Any) -> Verdict:
    """What there is to say."""
    words = {"untold": 0, "processes": 2, "checkouts": 40, "running": ()}
    return Verdict(findings, **{**words, **more})


class TextTests(SynchronousTestCase):
    """What people read."""

    def blocks(self, *findings: Finding) -> list[str]:
        """What is said of these, after the sum."""
        return as_text(a_verdict(*findings))[1:]

    def test_nothing(self) -> None:
        """Nobody reported, or everybody was right."""
        self.assertEqual([SILENT], as_text(a_verdict(processes=0)))
        self.assertEqual(["2 processes, 40 checkouts, no leak"], as_text(a_verdict()))
        one = a_verdict(processes=1, checkouts=1)
        self.assertEqual(["1 process, 1 checkout, no leak"], as_text(one))

    def test_each_kind(self) -> None:
        """The line of code comes first; only the end of a process is an exit."""
        self.assertEqual(
            [
                (
                    f"never returned: {SITE} (MainThread), out 3.2s at exit, "
                    "pid 123 pytest"
                ),
                (
                    f"returned by the garbage collector: {SITE} (MainThread), "
                    "out 3.2s, pid 123 pytest"
                ),
                (
                    f"held by a thread or task that ended: {SITE} (MainThread), "
                    "out 3.2s, pid 123 pytest"
                ),
                f"closed by nobody: {SITE} (MainThread), out 3.2s, pid 123 pytest",
            ],
            self.blocks(*(a_finding(kind) for kind in reversed(KINDS))),
        )

    def test_without_a_last_word(self) -> None:
        """It is said how old the last one was, and apart from those that said one."""
        self.assertEqual(
            [
                (
                    f"never returned: {SITE} (MainThread), out 3.2s at exit, "
                    "pid 123 pytest"
                ),
                (
                    f"never returned: {SITE} (MainThread), out 3.2s when the "
                    "process ended without a last word, 0.4s after it was last heard, "
                    "pid 123 pytest"
                ),
            ],
            self.blocks(a_finding(), a_finding(silent=0.4)),
        )

    def test_groups(self) -> None:
        """One line of code is one block, whichever process it was in; most first."""
        processes = [who(f"p{n}", pid=n) for n in (1, 2, 2)]
        processes += [who(f"w{n}", "worker", n) for n in range(5)]
        several = [
            a_finding(COLLECTED, process=each, seconds=n, owner=f"thread-{n}")
            for n, each in enumerate(processes)
        ]
        other = a_finding(COLLECTED, site="a.py:1 f")
        self.assertEqual(
            [
                (
                    f"returned by the garbage collector: {SITE} (thread-0, thread-1, "
                    "thread-2, 5 more), 8 times, out 0s to 7.0s, pids 0, 1, 2, 2 more "
                    "worker; pids 1, 2 pytest"
                ),
                (
                    "returned by the garbage collector: a.py:1 f (MainThread), "
                    "out 3.2s, pid 123 pytest"
                ),
            ],
            self.blocks(other, *several),
        )

    def test_what_is_not_known(self) -> None:
        """No site, and nobody who had it."""
        self.assertEqual(
            ["closed by nobody: a line that is not known, out 3.2s, pid 123 pytest"],
            self.blocks(a_finding(UNCLOSED, site="", owner="")),
        )

    def test_many_lines_of_code(self) -> None:
        """Of the rest, and of what was not told, only the numbers."""
        every = [a_finding(site=f"a.py:{n} f") for n in range(MOST_LINES + 3)]
        first, *blocks, more, untold, running = as_text(
            a_verdict(*every, every[0], untold=7, running=(who(), who("p2", "w", 5)))
        )
        self.assertEqual(f"2 processes, 40 checkouts, {MOST_LINES + 11} leaks", first)
        self.assertEqual(MOST_LINES, len(blocks))
        self.assertIn("2 times", blocks[0])
        self.assertEqual("and 3 connections of other lines of code", more)
        self.assertIn("and 7 more leaks", untold)
        self.assertEqual(
            "not judged, for still running: pid 123 pytest; pid 5 w", running
        )

    def test_names_with_escape_sequences(self) -> None:
        """They are harmless, and on one line."""
        odd = "\x1b[31m\n"
        found = a_finding(site=odd, owner=odd, process=who(program=odd))
        (block,) = self.blocks(found)
        self.assertTrue(block.isprintable(), block)


class ObjectTests(SynchronousTestCase):
    """What machines read."""

    def test_all_of_it(self) -> None:
        """One object for each connection, of plain values."""
        found = a_finding(
            ABANDONED, tag="job", session=7, address="h:1", seconds=1.23456
        )
        verdict = a_verdict(found, replace(found, silent=0.1), untold=1)
        told = json.loads(json.dumps(as_object(verdict, 5)))
        first, second = told.pop("findings")
        self.assertEqual(
            {
                "status": 5,
                "processes": 2,
                "checkouts": 40,
                "untold": 1,
                "running": [],
            },
            told,
        )
        self.assertEqual(
            {
                "kind": "abandoned",
                "site": "tests/test_x.py:88",
                "function": "test_orders",
                "owner": "MainThread",
                "tag": "job",
                "out_seconds": 1.235,
                "hostname": "ci",
                "program": "pytest",
                "pid": 123,
                "pool": "sqlite:///x.db",
                "session": 7,
                "address": "h:1",
                "last_word": True,
            },
            first,
        )
        self.assertEqual({**first, "last_word": False}, second)
