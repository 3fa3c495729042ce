"""Tests of what ``connmon check`` makes of the programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.thresholds import (
    CRITICAL,
    DEFAULTS,
    MEASURES,
    OK,
    UNKNOWN,
    WARNING,
    Bounds,
    Limits,
)
from connmon.console.verdict import FIELDS, judged, unknown
from connmon.views.alert import STATES
from connmon.views.frame import Frame
from connmon.views.schema import PROGRAMS, VIEWS
from tests.console.fakes import NASTY
from tests.console.frames import a_frame, a_program, departed, troubled
from tests.console.sources import told_frames

USUAL = Limits(DEFAULTS)

FORM = re.compile(
    r"CONNMON (?P<word>OK|WARNING|CRITICAL|UNKNOWN) - (?P<text>[^|]+?)"
    r"(?: \| (?P<figures>.+))?"
)
FIGURE = re.compile(
    r"'(?P<label>[a-z_]+)'=(?P<value>U|\d+(?:\.\d+)?(?:%|s|c)?)"
    r"(?:;(?P<warning>[\d.]*))?(?:;(?P<critical>[\d.]*))?(?:;0)?(?:;(100)?)?"
)


def calm(**values: Any) -> tuple[Any, ...]:
    """A program that is well, but for these."""
    usual = {"waiting": 0, "timeouts_per_minute": 0.0, "pool_worst": 0.4}
    return a_program("vm", "shop", **{**usual, **values})


def status(*rows: tuple[Any, ...], limits: Limits = USUAL) -> int:
    """What rows of the programs come to."""
    return judged(a_frame(PROGRAMS, list(rows)), limits).status


def limits(**bounds: Bounds) -> Limits:
    """The usual ones, but for these."""
    return Limits({**DEFAULTS, **bounds})


def parsed(line: str) -> tuple[str, str, Mapping[str, Mapping[str, Any]]]:
    """The word, the text, and the figures, read as a monitoring system does."""
    found = FORM.fullmatch(line)
    assert found is not None, line
    figures = {}
    for each in (found["figures"] or "").split():
        figure = FIGURE.fullmatch(each)
        assert figure is not None, each
        figures[figure["label"]] = figure.groupdict()
    return found["word"], found["text"], figures


class StatusTests(SynchronousTestCase):
    """The exit status."""

    def test_by_default(self) -> None:
        """A warning from 80 % on, critical if somebody waits or timed out."""
        for values, expected in (
            ({}, OK),
            ({"pool_worst": 0.79}, OK),
            ({"pool_worst": 0.8}, WARNING),
            ({"pool_worst": 1.0, "state": "BUSY", "alert": "warn"}, WARNING),
            ({"pool_worst": None}, OK),
            ({"oldest_seconds": 9e5, "alert": "warn"}, OK),
            ({"txn_seconds": 9e5, "leaks": 9}, OK),
            ({"state": "LEAKING"}, WARNING),
            ({"state": "IDLE-IN-TXN"}, WARNING),
            ({"state": "UNREACHABLE"}, CRITICAL),
            ({"state": "a new one"}, OK),
            ({"stale": 1, "nproc": 3}, WARNING),
        ):
            self.assertEqual(expected, status(calm(**values)), values)
        self.assertEqual(CRITICAL, status(calm(), calm(waiting=1)))
        self.assertEqual(CRITICAL, status(calm(), calm(timeouts_per_minute=1.0)))

    def test_nothing_known(self) -> None:
        """No program, none that runs, and none that is heard."""
        self.assertEqual(UNKNOWN, status())
        self.assertEqual(UNKNOWN, status(departed()))
        self.assertEqual(OK, status(departed(), calm()))
        row = a_program("vm", "shop", nproc=2, stale=2, waiting=7)
        self.assertEqual(UNKNOWN, status(row))
        self.assertEqual(CRITICAL, status(row, calm()))
        # One that ended after it timed out is known to have.
        self.assertEqual(CRITICAL, status(departed(timeouts_per_minute=1.0)))

    def test_not_all_is_told(self) -> None:
        """What was left out may be worse."""
        frame = a_frame(PROGRAMS, [calm()], count=2)
        self.assertEqual(UNKNOWN, judged(frame, USUAL).status)
        bad = a_frame(PROGRAMS, [a_program(waiting=1)], count=2)
        self.assertEqual(CRITICAL, judged(bad, USUAL).status)

    def test_thresholds(self) -> None:
        """Each is reached by its value: of one program, or of all together."""
        for name, field, together, value in (
            ("used", "pool_worst", False, 0.29),
            ("waiting", "waiting", True, 2),
            ("timeouts", "timeouts_per_minute", True, 2.0),
            ("age", "oldest_seconds", False, 60.0),
            ("txn", "txn_seconds", False, 60.0),
            ("leaks", "leaks", True, 2),
        ):
            at = 29 if name == "used" else value
            other = calm(**{field: value})
            well = calm(**{field: 0})
            for bounds, expected in (
                (Bounds(at), WARNING),
                (Bounds(None, at), CRITICAL),
                (Bounds(at, at * 2), WARNING),
                (Bounds(at / 2, at), CRITICAL),
                (Bounds(at * 1.01, at * 1.01), OK),
                (Bounds(), OK),
            ):
                found = status(well, other, limits=limits(**{name: bounds}))
                self.assertEqual(expected, found, (name, bounds))
            twice = limits(**{name: Bounds(None, at * 2)})
            expected = CRITICAL if together else OK
            self.assertEqual(expected, status(other, other, limits=twice), name)

    def test_states(self) -> None:
        """Any may be critical, or a warning, or of no matter."""
        for word in STATES:
            some = Limits(DEFAULTS, frozenset((word,)), frozenset())
            self.assertEqual(WARNING, status(calm(state=word), limits=some))
            some = Limits(DEFAULTS, frozenset((word,)), frozenset((word,)))
            self.assertEqual(CRITICAL, status(calm(state=word), limits=some))
            none = Limits(DEFAULTS, frozenset(), frozenset())
            self.assertEqual(OK, status(calm(state=word), limits=none))

    @settings(deadline=None, max_examples=60, database=None)
    @given(st.sampled_from(MEASURES), st.floats(0.0, 1e9), st.floats(0.0, 1e9))
    def test_more_is_never_better(self, measure: Any, one: float, more: float) -> None:
        """Whatever the thresholds."""
        bounds = limits(**{measure.name: Bounds(more / 3, more / 2)})
        low, high = sorted((one, more))
        found = [
            status(calm(), calm(**{measure.field: value}), limits=bounds)
            for value in (low, high)
        ]
        self.assertEqual(sorted(found), found)


class LineTests(SynchronousTestCase):
    """The line."""

    def test_well(self) -> None:
        """How much there is, and the figures with their thresholds."""
        frame = a_frame(PROGRAMS, [calm(), departed()])
        self.assertEqual(
            "CONNMON OK - 1 program, 3 processes, 4 connections out | "
            "'pool_used'=40%;80;;0;100 'waiting'=0;;0;0 'timeouts'=0;;0;0 "
            "'oldest_checkout'=0.13s;;;0 'oldest_transaction'=U;;;0 'leaks'=U;;;0",
            judged(frame, USUAL).line,
        )

    def test_the_worst(self) -> None:
        """By name, with its state and its reason, and how many more there are."""
        word, text, figures = parsed(judged(a_frame(PROGRAMS, troubled()), USUAL).line)
        self.assertEqual("CRITICAL", word)
        self.assertEqual(
            "ctl1 nova-api STUCK: 7 waiting, pool full in 3 of 8 processes, "
            "oldest checkout 38s, 12 timeouts; and 2 more",
            text,
        )
        self.assertEqual("100%", figures["pool_used"]["value"])
        self.assertEqual(("7", "", "0"), tuple(figures["waiting"].values())[1:])
        self.assertEqual([each.label for each in MEASURES], list(figures))

    def test_which_is_worst(self) -> None:
        """The status, the state, who waits, how full, how long."""
        rows = [
            a_program("h", "a", state="LEAKING", reason="r"),
            a_program("h", "b", state="BUSY", pool_worst=1.0, reason="r"),
            a_program("h", "c", state="STUCK", waiting=1, reason="r"),
            a_program("h", "d", state="UNREACHABLE", reason="r"),
        ]
        frame = a_frame(PROGRAMS, rows)
        for name in "dcab":
            (text,) = (parsed(judged(frame, USUAL).line)[1],)
            self.assertTrue(text.startswith(f"h {name} "), text)
            rest = tuple(row for row in frame.rows if row[1] != name)
            frame = replace(frame, rows=rest, count=len(rest))

    def test_what_the_node_does_not_say(self) -> None:
        """A threshold that is not the node's is said here, and only once."""
        tight = limits(used=Bounds(30), age=Bounds(None, 0.1), leaks=Bounds(1))
        row = calm(leaks=1)
        _, text, _ = parsed(judged(a_frame(PROGRAMS, [row]), tight).line)
        self.assertEqual(
            "vm shop: pool 40 % used, oldest checkout 0.1s, 1 leak",
            text,
        )
        row = calm(reason="pool 40 % used", oldest_seconds=0.2)
        _, text, _ = parsed(judged(a_frame(PROGRAMS, [row]), tight).line)
        self.assertEqual("vm shop: pool 40 % used, oldest checkout 0.2s", text)

    def test_not_heard(self) -> None:
        """It is said why it is a warning if nothing else is wrong."""
        row = calm(nproc=3, stale=1)
        _, text, _ = parsed(judged(a_frame(PROGRAMS, [row]), USUAL).line)
        self.assertEqual(
            "1 program, 3 processes, 4 connections out, 1 process not heard", text
        )

    def test_unknown(self) -> None:
        """Why nothing can be said."""
        self.assertEqual((3, "CONNMON UNKNOWN - no node"), unknown("no node"))
        empty = a_frame(PROGRAMS)
        for filtered, said in ((False, ""), (True, " that the filter matches")):
            self.assertEqual(
                f"CONNMON UNKNOWN - no program is known{said}",
                judged(empty, USUAL, filtered=filtered).line,
            )

    def test_shares(self) -> None:
        """A share that is not all is not 100 %, however near."""
        for share, told in (
            (1.0, "100%"),
            (0.999999999, "99.999%"),
            (0.29, "29%"),
            (1 / 3, "33.333%"),
            (2.0, "200%"),
        ):
            line = judged(a_frame(PROGRAMS, [calm(pool_worst=share)]), USUAL).line
            self.assertEqual(told, parsed(line)[2]["pool_used"]["value"])

    @settings(deadline=None, max_examples=100, database=None)
    @given(told_frames(PROGRAMS))
    def test_any_frame(self, frame: Frame) -> None:
        """Whatever a node tells, it is one line of that form, that fits its status."""
        found = judged(frame, USUAL)
        word, _, figures = parsed(found.line)
        self.assertEqual(
            ("OK", "WARNING", "CRITICAL", "UNKNOWN").index(word), found.status
        )
        self.assertEqual(found.status != UNKNOWN, bool(figures))
        self.assertTrue(found.line.isprintable())

    @settings(deadline=None, max_examples=100, database=None)
    @given(NASTY, NASTY, NASTY, NASTY)
    def test_any_names(self, host: str, program: str, word: str, why: str) -> None:
        """They cannot end the text, nor the line."""
        row = a_program(host + "|", program, waiting=1, state=word, reason=why)
        for found in (judged(a_frame(PROGRAMS, [row]), USUAL), unknown(why + "|x")):
            parsed(found.line)
            self.assertTrue(found.line.isprintable())

    def test_the_fields(self) -> None:
        """All that is asked for are fields of the programs."""
        known = {each.name for each in VIEWS[PROGRAMS].fields}
        self.assertLessEqual(set(FIELDS), known)
