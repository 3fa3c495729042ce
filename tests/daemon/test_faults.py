"""Tests of what is said of a connection to which something happened."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connmon.daemon.blame import MOST
from connmon.daemon.faults import KINDS, sentence
from connmon.model.journal import CRIT, INFO, WARN
from connmon.model.records import (
    ABANDONED,
    COLLECTED,
    INHERITED,
    LEAKS,
    RETURNED,
    SLOW,
    STALE,
    UNCLOSED,
    Notice,
)

SITE = "orders.py:88 checkout"


def notice(
    kind: str, seconds: float = 12.3, owner: str = "w 1", site: str = SITE
) -> str:
    """What is said of one."""
    return sentence(Notice(1, 1, 100.0, kind, 7, seconds, owner, site))


class SentenceTests(SynchronousTestCase):
    """The words, with the line of the application."""

    def test_each_kind(self) -> None:
        """What happened, where it was taken, and what proves that it has leaked."""
        self.assertEqual(
            [
                (
                    f"connection leaked at {SITE}: returned by the garbage collector, "
                    "out 12s"
                ),
                (
                    f"connection leaked at {SITE}: held by w 1, a thread or task that "
                    "has ended, out 12s"
                ),
                f"connection leaked at {SITE}: finalised without being closed",
                f"connection out for 12s at {SITE} by w 1",
                f"connection returned after all, not leaked: taken at {SITE}",
            ],
            [notice(each) for each in (COLLECTED, ABANDONED, UNCLOSED, SLOW, RETURNED)],
        )

    def test_without_a_site(self) -> None:
        """Who took it is all that is known, or not even that."""
        self.assertEqual(
            [
                "connection leaked by w 1: returned by the garbage collector, out 12s",
                "connection out for 12s by w 1",
                "connection leaked: held by a thread or task that has ended, out 12s",
                "connection out for 12s",
            ],
            [
                notice(COLLECTED, site=""),
                notice(SLOW, site=""),
                notice(ABANDONED, owner="", site=""),
                notice(SLOW, owner="", site=""),
            ],
        )

    def test_a_moment(self) -> None:
        """What was out for less than a second."""
        self.assertTrue(notice(COLLECTED, 0.02).endswith("out 0.0s"))

    def test_bytes_from_the_network(self) -> None:
        """They are made harmless, and not endless."""
        said = notice(ABANDONED, owner="\x1b[2J" * 99, site="\x1b[2J" * 99)
        self.assertTrue(said.isprintable())
        self.assertLessEqual(len(said), MOST)

    def test_how_bad_it_is(self) -> None:
        """A place that is lost for good is the worst."""
        self.assertEqual(
            {
                COLLECTED: WARN,
                ABANDONED: CRIT,
                UNCLOSED: WARN,
                SLOW: WARN,
                RETURNED: INFO,
            },
            {kind: each.severity for kind, each in KINDS.items()},
        )
        self.assertLessEqual(set(LEAKS), set(KINDS))
        self.assertTrue({STALE, INHERITED}.isdisjoint(KINDS))

    def test_sums(self) -> None:
        """Of one program, and of several."""
        self.assertEqual(
            [
                "3 connections leaked: finalised without being closed",
                (
                    "1 connection leaked in 2 programs on 1 host: returned by the "
                    "garbage collector"
                ),
                "2 connections out for long",
                "2 connections out for long in 2 programs on 1 host",
                "2 connections returned after all, not leaked",
            ],
            [
                KINDS[UNCLOSED].again(3),
                KINDS[COLLECTED].among(1, "2 programs on 1 host"),
                KINDS[SLOW].again(2),
                KINDS[SLOW].among(2, "2 programs on 1 host"),
                KINDS[RETURNED].again(2),
            ],
        )
