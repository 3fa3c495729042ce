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
    SERVER,
    UNKNOWN,
    WARNING,
    Bounds,
    Limits,
)
from connmon.console.verdict import Verdict, judged, questions, unknown
from connmon.model.board import Board
from connmon.views.alert import STATES
from connmon.views.fleet import Fleet
from connmon.views.frame import Frame, Row
from connmon.views.schema import PROGRAMS, SERVERS, SHARES, VIEWS
from tests.console.fakes import NASTY
from tests.console.frames import a_frame, a_program, a_row, departed, troubled
from tests.console.sources import told_frames
from tests.views.boards import NOW
from tests.views.test_servers import NOVA, facts, runs

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


def of_programs(programs: Frame, limits: Limits = USUAL) -> Verdict:
    """What a frame of the programs comes to, without any server."""
    return judged((programs, a_frame(SERVERS)), limits)


def status(*rows: tuple[Any, ...], limits: Limits = USUAL) -> int:
    """What rows of the programs come to."""
    return of_programs(a_frame(PROGRAMS, list(rows)), limits).status


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
        self.assertEqual(UNKNOWN, of_programs(frame, USUAL).status)
        bad = a_frame(PROGRAMS, [a_program(waiting=1)], count=2)
        self.assertEqual(CRITICAL, of_programs(bad, USUAL).status)

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
            "'oldest_checkout'=0.13s;;;0 'oldest_transaction'=U;;;0 'leaks'=U;;;0 "
            "'server_used'=U;80;95;0;100",
            of_programs(frame, USUAL).line,
        )

    def test_the_worst(self) -> None:
        """By name, with its state and its reason, and how many more there are."""
        word, text, figures = parsed(
            of_programs(a_frame(PROGRAMS, troubled()), USUAL).line
        )
        self.assertEqual("CRITICAL", word)
        self.assertEqual(
            "ctl1 nova-api STUCK: 7 waiting, pool full in 3 of 8 processes, "
            "oldest checkout 38s, 12 timeouts; and 2 more",
            text,
        )
        self.assertEqual("100%", figures["pool_used"]["value"])
        self.assertEqual(("7", "", "0"), tuple(figures["waiting"].values())[1:])
        labels = [each.label for each in (*MEASURES, SERVER)]
        self.assertEqual(labels, list(figures))

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
            (text,) = (parsed(of_programs(frame, USUAL).line)[1],)
            self.assertTrue(text.startswith(f"h {name} "), text)
            rest = tuple(row for row in frame.rows if row[1] != name)
            frame = replace(frame, rows=rest, count=len(rest))

    def test_what_the_node_does_not_say(self) -> None:
        """A threshold that is not the node's is said here, and only once."""
        tight = limits(used=Bounds(30), age=Bounds(None, 0.1), leaks=Bounds(1))
        row = calm(leaks=1)
        _, text, _ = parsed(of_programs(a_frame(PROGRAMS, [row]), tight).line)
        self.assertEqual(
            "vm shop: pool 40 % used, oldest checkout 0.1s, 1 leak",
            text,
        )
        row = calm(reason="pool 40 % used", oldest_seconds=0.2)
        _, text, _ = parsed(of_programs(a_frame(PROGRAMS, [row]), tight).line)
        self.assertEqual("vm shop: pool 40 % used, oldest checkout 0.2s", text)

    def test_not_heard(self) -> None:
        """It is said why it is a warning if nothing else is wrong."""
        row = calm(nproc=3, stale=1)
        _, text, _ = parsed(of_programs(a_frame(PROGRAMS, [row]), USUAL).line)
        self.assertEqual(
            "1 program, 3 processes, 4 connections out, 1 process not heard", text
        )

    def test_unknown(self) -> None:
        """Why nothing can be said."""
        self.assertEqual((3, "CONNMON UNKNOWN - no node"), unknown("no node"))
        empty = a_frame(PROGRAMS)
        for filtered, said in ((False, ""), (True, " that the filter matches")):
            frames = (empty, a_frame(SERVERS), a_frame(SHARES))
            self.assertEqual(
                f"CONNMON UNKNOWN - no program is known{said}",
                judged(frames if filtered else frames[:2], USUAL).line,
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
            line = of_programs(a_frame(PROGRAMS, [calm(pool_worst=share)]), USUAL).line
            self.assertEqual(told, parsed(line)[2]["pool_used"]["value"])

    @settings(deadline=None, max_examples=100, database=None)
    @given(told_frames(PROGRAMS), told_frames(SERVERS), st.none() | told_frames(SHARES))
    def test_any_frame(
        self, programs: Frame, servers: Frame, shares: Frame | None
    ) -> None:
        """Whatever a node tells, it is one line of that form, that fits its status."""
        frames = (programs, servers) if shares is None else (programs, servers, shares)
        found = judged(frames, USUAL)
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
        for found in (
            of_programs(a_frame(PROGRAMS, [row]), USUAL),
            unknown(why + "|x"),
        ):
            parsed(found.line)
            self.assertTrue(found.line.isprintable())

    def test_the_fields(self) -> None:
        """All that is asked for are fields that there are."""
        for query in questions("shop"):
            known = {each.name for each in VIEWS[query.view].fields}
            self.assertLessEqual(set(query.fields), known)


class ServerTests(SynchronousTestCase):
    """Database servers that are near their limits."""

    def judged(self, *servers: Row, **more: Any) -> tuple[int, str]:
        """The status, and the line without its figures; a program is well."""
        frames = (
            a_frame(PROGRAMS, [calm(**more.pop("program", {}))]),
            a_frame(SERVERS, servers),
        )
        found = judged(frames, **{"limits": USUAL, **more})
        return found.status, found.line.partition(" | ")[0]

    def test_by_default(self) -> None:
        """The console's alert is the status, whatever it is for; its reason is told."""
        for alert, reason, expected, word in (
            ("ok", "", OK, "OK - 1 program, 3 processes, 4 connections out"),
            ("crit", "", CRITICAL, "CRITICAL - db:3306: 50 % of its connections open"),
            ("warn", "worst case 80 of 37", WARNING, "WARNING - db:3306: worst case"),
            ("warn", "2 pools without a bound", WARNING, "WARNING - db:3306: 2 pools"),
            (
                *("crit", "36 of 37 connections open, worst case 80 of 37", CRITICAL),
                "CRITICAL - db:3306: 36 of 37 connections open, worst case 80 of 37",
            ),
        ):
            row = a_server(used=0.5, alert=alert, reason=reason)
            found, line = self.judged(row)
            self.assertEqual(expected, found, alert)
            self.assertTrue(line.startswith(f"CONNMON {word}"), line)

    def test_thresholds(self) -> None:
        """One is in place of the alert for its status, and none is of no matter."""
        full = a_server(used=0.97, alert="crit", reason="97 of 100 connections open")
        wide = a_server(used=0.5, alert="warn", reason="worst case 900 of 100")
        for row, warning, critical, expected in (
            (full, USUAL, 98.0, WARNING),
            (full, USUAL, 97.0, CRITICAL),
            (full, USUAL, None, WARNING),
            (full, None, None, OK),
            (full, None, USUAL, CRITICAL),
            (wide, USUAL, USUAL, WARNING),
            (wide, 80.0, USUAL, OK),
            (wide, 50.0, USUAL, WARNING),
            (wide, None, USUAL, OK),
            (wide, USUAL, 50.0, CRITICAL),
        ):
            bounds = {**DEFAULTS, "server": Bounds(*_given(warning, critical))}
            alerts = {WARNING: warning, CRITICAL: critical}
            judging = frozenset(each for each in alerts if alerts[each] is USUAL)
            found, _ = self.judged(row, limits=Limits(bounds, alerts=judging))
            self.assertEqual(expected, found, (row, warning, critical))

    def test_what_the_node_does_not_say(self) -> None:
        """A threshold that is not the node's is said here, and whose host that is."""
        tight = Limits({**DEFAULTS, "server": Bounds(40.0)}, alerts=frozenset())
        row = a_server("localhost:3306", "vm", used=0.5)
        self.assertEqual(
            (
                WARNING,
                "CONNMON WARNING - localhost:3306 of vm: 50 % of its connections open",
            ),
            self.judged(row, limits=tight),
        )

    def test_which_is_worst(self) -> None:
        """The status; then a program before a server; then the fuller server."""
        rows = [
            a_server("a:1", used=0.96, alert="crit", reason="a"),
            a_server("b:1", used=0.97, alert="crit", reason="b"),
            a_server("c:1", used=0.1, worst_case=90, alert="warn", reason="c"),
            a_server("d:1", used=0.1, worst_case=99, alert="warn", reason="d"),
        ]
        busy = {"pool_worst": 0.9, "reason": "pool 90 % used"}
        for servers, program, said in (
            (rows, busy, "CRITICAL - b:1: b; and 4 more"),
            (rows[2:], busy, "WARNING - vm shop: pool 90 % used; and 2 more"),
            (rows[2:], {}, "WARNING - d:1: d; and 1 more"),
            (rows, {"waiting": 1}, "CRITICAL - vm shop: 1 waiting; and 4 more"),
        ):
            _, line = self.judged(*servers, program=program)
            self.assertEqual(f"CONNMON {said}", line)

    def test_the_figure(self) -> None:
        """It is that of the fullest, also if all is well."""
        frames = (
            a_frame(PROGRAMS, [calm()]),
            a_frame(SERVERS, [a_server(used=0.25), a_server("x:1", used=0.5)]),
        )
        figures = parsed(judged(frames, USUAL).line)[2]
        self.assertEqual("50%", figures["server_used"]["value"])

    def test_with_a_filter(self) -> None:
        """Only servers count that one of those programs has a pool for."""
        bad: dict[str, Any] = {"used": 1.0, "alert": "crit", "reason": "r"}
        for server, share, expected in (
            (("db:1", None), ("db:1", "vm", "shop"), CRITICAL),
            (("db:1", None), ("db:2", "vm", "shop"), OK),
            (("db:1", None), ("db:1", "vm", "till"), OK),
            (("db:1", None), ("db:1", "web", "shop"), OK),
            (("localhost:1", "vm"), ("localhost:1", "vm", "shop"), CRITICAL),
            (("localhost:1", "web"), ("localhost:1", "vm", "shop"), OK),
        ):
            names = dict(zip(("server", "hostname", "progname"), share, strict=True))
            frames = (
                a_frame(PROGRAMS, [calm()]),
                a_frame(SERVERS, [a_server(*server, **bad)]),
                a_frame(SHARES, [a_row(SHARES, **names)]),
            )
            self.assertEqual(expected, judged(frames, USUAL).status, (server, share))

    def test_the_questions(self) -> None:
        """Servers without a limit are not asked for, as the header has none of them."""
        programs, servers = questions(" ")
        self.assertEqual((), programs.where)
        self.assertEqual((SERVERS, ("limit!=-",)), (servers.view, servers.where))
        programs, also, shares = questions("shop")
        self.assertEqual((("shop",), servers), (programs.where, also))
        self.assertEqual((SHARES, ()), (shares.view, shares.where))

    def test_as_the_header_counts(self) -> None:
        """The check speaks of a server as soon as the header does, and no sooner."""
        for limit, places, opened in (
            *((37, 80, 36), (37, 80, 3), (37, 37, 3), (100, 100, 80)),
            *((60, 60, 57), (180, 180, 171), (None, None, 5), (9, None, 1)),
        ):
            board = Board("s", "n")
            runs(board, "x", facts(NOVA, places or 0, 0), idle=opened)
            fleet = Fleet(board, limits={"db": limit} if limit else {})
            head = fleet.head(NOW)
            found = judged(fleet.answers(questions(), NOW), USUAL)
            expected = CRITICAL if head.crit else WARNING if head.warn else OK
            self.assertEqual(expected, found.status, (limit, places, opened))

    @settings(deadline=None, max_examples=60, database=None)
    @given(NASTY, NASTY, NASTY)
    def test_any_names(self, server: str, host: str, why: str) -> None:
        """They cannot end the text, nor the line."""
        row = a_server(server + "|", host, alert="crit", reason=why)
        frames = (a_frame(PROGRAMS, [calm()]), a_frame(SERVERS, [row]))
        found = judged(frames, USUAL)
        parsed(found.line)
        self.assertTrue(found.line.isprintable())


def a_server(name: str = "db:3306", host: str | None = None, **values: Any) -> Row:
    """A row of the servers view that nothing is wrong with, but for these."""
    usual = {"limit": 100, "worst_case": 50, "conn": 10, "used": 0.1}
    well = {"alert": "ok", "reason": ""}
    return a_row(SERVERS, server=name, hostname=host, **{**usual, **well, **values})


def _given(*bounds: Any) -> tuple[float | None, ...]:
    """Thresholds, the usual ones where none was given."""
    pairs = zip(bounds, DEFAULTS["server"], strict=True)
    return tuple(usual if each is USUAL else each for each, usual in pairs)
