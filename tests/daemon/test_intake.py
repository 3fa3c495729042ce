"""Tests of a node's links: what is taken, what is refused, and what a mistake costs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.protocols.amp import AmpBox

from connmon import __version__
from connmon.daemon.credentials import Credentials
from connmon.daemon.intake import NodeLink
from connmon.errors import QueryError
from connmon.model.histogram import BUCKETS, Histogram
from connmon.model.process import Process
from connmon.model.records import (
    DETACHED,
    IDLE,
    MOST,
    OUT,
    ConnectionRecord,
    Counters,
    Identity,
    Maxima,
    PoolFacts,
    PoolRecord,
    Report,
)
from connmon.views.frame import Frame, Gauge
from connmon.views.query import WHOLE, Query
from connmon.views.schema import CHECKOUTS, EVENTS, NODES, PROGRAMS, VIEWS
from connmon.wire import commands
from connmon.wire.queries import encode_queries
from connmon.wire.reports import decode_report, encode_report
from tests.daemon.fakes import BareTransport, NodeTestCase, Talk, a_report

FAR = 1.7e308
"""A time that no clock shows, nearly the largest number there is."""

PLACES = st.integers(0, 9) | st.just(MOST)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["ctl1", "nova-api", "p1", "last", "out", ""]),
)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """A query that some console might have, and few of which are not understood."""
    view = draw(st.sampled_from([*VIEWS.values()]))
    names = st.sampled_from([each.name for each in view.fields])
    numbers = [each.name for each in view.fields if each.kind.is_number]
    term = st.one_of(
        st.sampled_from(["ctl", "!out", '"a b"', "-p", ""]),
        st.builds("{}{}".format, names, st.sampled_from(["=-", "!=-"])),
        st.builds(
            "{}{}".format, st.sampled_from(numbers), st.sampled_from([">1", "<=8"])
        )
        if numbers
        else st.nothing(),
    )
    few = st.lists(term, max_size=2).map(tuple)
    order = st.builds("{}{}".format, st.sampled_from(["", "-"]), names)
    known = Query(
        view.name,
        scope=draw(st.lists(st.tuples(names, VALUES), max_size=2).map(tuple)),
        where=draw(few),
        busy=draw(st.booleans()),
        sort=draw(st.just("") | order),
        alerts_first=draw(st.booleans()),
        tree=draw(st.booleans()),
        fields=draw(st.lists(names, max_size=4).map(tuple)),
        first=draw(PLACES),
        limit=draw(st.just(WHOLE) | PLACES),
        anchor=draw(st.none() | st.lists(VALUES, max_size=3).map(tuple)),
        line=draw(PLACES),
        find=draw(term),
        find_step=draw(st.sampled_from([1, -1])),
    )
    odd: dict[str, Any] = draw(
        st.sampled_from([{}] * 9 + [{"view": "queues"}, {"sort": "moods"}])
    )
    return replace(known, **odd)


class GreetingTests(NodeTestCase):
    """Who is let in."""

    def test_the_node_says_what_it_is(self) -> None:
        """The answer names version, service, node, incarnation and software."""
        self.assertEqual(
            {
                "version": commands.VERSION,
                "service": "default",
                "node": "node1",
                "incarnation": "inc",
                "software": __version__,
                "settings": None,
                "stacks": None,
            },
            self.talk().hello(),
        )

    def test_an_empty_service_is_any_service(self) -> None:
        """Someone who was given only an address takes whatever is there."""
        talk = self.talk()
        self.assertEqual("default", talk.hello(service="")["service"])
        self.assertTrue(talk.is_open)

    def test_a_newer_side_is_answered_with_our_version(self) -> None:
        """The highest version that both know is spoken."""
        answer = self.talk().hello(version=commands.VERSION + 7)
        self.assertEqual(commands.VERSION, answer["version"])

    def test_no_version_in_common_is_refused(self) -> None:
        """Both too new and too old are told which versions are spoken here."""
        for version, oldest in ((9, 3), (0, 0)):
            talk = self.talk()
            told = talk.hello(version=version, oldest=oldest)
            self.assertEqual(
                f"protocol versions {oldest} to {version} offered, 1 to 2 spoken here",
                told,
            )
            self.assertFalse(talk.is_open)
            self.assertEqual(
                [f"link from 10.0.0.1:5555 closed: refused, {told}"], self.logged()
            )

    def test_an_older_console_is_refused(self) -> None:
        """What it would be shown it could not read; an older client is welcome."""
        talk = self.talk()
        told = talk.hello(commands.CONSOLE, version=1, oldest=1)
        self.assertEqual("protocol versions 1 to 1 offered, 2 to 2 spoken here", told)
        self.assertFalse(talk.is_open)
        self.assertEqual(1, self.talk().hello(version=1, oldest=1)["version"])
        self.logged()

    def test_the_error_of_a_refusal_has_its_code(self) -> None:
        """Other programs go by the code, people by the text."""
        for code, changes in (
            (commands.VersionRefused, {"version": 0}),
            (commands.ServiceRefused, {"service": "other"}),
            (commands.RoleRefused, {"role": "stranger"}),
        ):
            talk = self.talk()
            arguments: dict[str, Any] = {
                "version": 1,
                "oldest": 1,
                "role": commands.CLIENT,
                "service": "",
                "software": "",
            }
            caught: list[Any] = []
            talk.caller.callRemote(
                commands.Hello, **{**arguments, **changes}
            ).addErrback(caught.append)
            talk.pump.flush()
            self.assertEqual([code], [failure.type for failure in caught])

    def test_another_service_is_refused(self) -> None:
        """A node of one service does not take the reports of another."""
        talk = self.talk()
        told = talk.hello(service="other")
        self.assertEqual("this node is of service 'default', not 'other'", told)
        self.assertFalse(talk.is_open)
        self.assertEqual(
            [f"link from 10.0.0.1:5555 closed: refused, {told}"], self.logged()
        )

    def test_other_roles_are_refused(self) -> None:
        """Nobody unheard of is spoken to."""
        for role in ("", "Client"):
            talk = self.talk()
            told = talk.hello(role)
            self.assertEqual(f"links of role {role!r} are not served here", told)
            self.assertFalse(talk.is_open)

    def test_a_peer_says_who_it_is_in_plain_words(self) -> None:
        """Its name goes into the log, and into the nodes view, as it is."""
        for name, incarnation in (
            ("", "i1"),
            ("b", ""),
            ("b\x1b]0;x\x07", "i1"),
            ("b c", "i1"),
            ("b", "i\n1"),
        ):
            talk = self.talk()
            told = talk.hello(commands.PEER, node=name, incarnation=incarnation)
            self.assertEqual("a peer without a plain name and incarnation", told)
            self.assertFalse(talk.is_open)
        self.assertTrue(all(line.isprintable() for line in self.logged()))

    def test_what_was_sent_along_with_a_refused_greeting_is_not_heard(self) -> None:
        """A refusal is final, also for what came in the same read."""
        talk = self.talk()
        for service in ("other", "default"):
            talk.caller.callRemote(
                commands.Hello,
                version=1,
                oldest=1,
                role=commands.CONSOLE,
                service=service,
                software="",
            ).addErrback(lambda failure: None)
        talk.pump.flush()
        self.assertFalse(talk.is_open)
        self.assertEqual(1, len(self.logged()))

    def test_who_does_not_greet_is_hung_up_on(self) -> None:
        """Ten seconds are enough for a first word."""
        talk = self.talk()
        self.pass_time(commands.GREETING_SECONDS - 0.1)
        self.assertTrue(talk.is_open)
        self.pass_time(0.2)
        self.assertFalse(talk.is_open)
        self.assertEqual(
            ["link from 10.0.0.1:5555 closed: silent for 10 seconds"], self.logged()
        )

    def test_who_comes_and_goes_without_a_word_is_not_logged(self) -> None:
        """A probe of the port is no news."""
        self.talk().hang_up()
        self.assertEqual([], self.logged())


class ClientTests(NodeTestCase):
    """From registration to departure."""

    def test_a_process_is_shown_from_its_first_report(self) -> None:
        """Hello, Register and Report end on the board."""
        talk = self.talk()
        talk.hello()
        self.assertEqual({"interval": 1.0}, talk.register())
        self.assertEqual(
            {"whole": False, "interval": 1.0}, talk.report(a_report(out=2, idle=3))
        )
        (row,) = self.look().programs
        self.assertEqual(
            ("ctl1", "nova-api", True, 1, 5, 2),
            (row.hostname, row.progname, row.connected, row.nproc, row.conn, row.ckout),
        )

    def test_coming_and_going_is_logged(self) -> None:
        """One line each, with host, program and pid."""
        talk = self.client()
        talk.report(a_report())
        talk.hang_up()
        self.assertEqual(
            [
                "client ctl1 nova-api[42] joined from 10.0.0.1:5555",
                "client ctl1 nova-api[42] left: closed its link",
            ],
            self.logged(),
        )

    def test_names_are_harmless_in_the_log(self) -> None:
        """What a process calls itself cannot steer the terminal a log is read on."""
        talk = self.talk()
        talk.hello()
        talk.register(hostname="a\x1b[2Jb", program="c\nd")
        self.assertEqual(
            [r"client a\x1b[2Jb c\nd[42] joined from 10.0.0.1:5555"], self.logged()
        )

    def test_a_closed_link_makes_the_process_gone(self) -> None:
        """Its row stays, with nothing in it."""
        talk = self.client()
        talk.report(a_report(out=2))
        talk.hang_up()
        look = self.look()
        self.assertEqual(Gauge(0, 1), look.processes)
        self.assertEqual(Gauge(0, 2), look.checkouts)
        self.assertFalse(look.programs[0].connected)

    def test_silence_closes_the_link_and_makes_the_process_gone(self) -> None:
        """75 seconds without a word are the end."""
        talk = self.client()
        talk.report(a_report(out=2))
        self.logged()
        self.pass_time(commands.SILENCE_SECONDS - 0.1)
        self.assertTrue(talk.is_open)
        self.assertEqual(1, self.look().processes.current)
        self.pass_time(0.2)
        self.assertFalse(talk.is_open)
        self.assertEqual(0, self.look().processes.current)
        self.assertEqual(
            ["client ctl1 nova-api[42] left: silent for 75 seconds"], self.logged()
        )

    def test_each_report_is_a_word(self) -> None:
        """A process that reports now and then stays."""
        talk = self.client()
        for sequence in range(5):
            self.pass_time(commands.SILENCE_SECONDS - 1)
            talk.report(a_report(sequence))
        self.assertTrue(talk.is_open)
        self.pass_time(commands.SILENCE_SECONDS)
        self.assertFalse(talk.is_open)

    def test_the_whole_is_wanted_after_a_gap(self) -> None:
        """A delta on a version not held is answered by asking for everything."""
        talk = self.client()
        talk.report(a_report(0, out=3))
        gap = talk.report(a_report(2, base=1, out=9))
        self.assertEqual({"whole": True, "interval": 1.0}, gap)
        self.assertEqual(3, self.look().checkouts.current)
        whole = talk.report(a_report(3, out=4))
        self.assertEqual({"whole": False, "interval": 1.0}, whole)
        self.assertEqual(4, self.look().checkouts.current)

    def test_a_registration_that_is_not_newer_is_superseded(self) -> None:
        """The code tells the process that another link of its own replaced this one."""
        self.client(registration=5)
        self.logged()
        for registration in (4, 5):
            talk = self.talk()
            talk.hello()
            self.assertEqual(
                f"registration {registration} comes too late",
                talk.register(registration),
            )
            self.assertFalse(talk.is_open)
            self.assertEqual(
                [
                    (
                        "link from 10.0.0.1:5555 closed: "
                        f"refused, registration {registration} comes too late"
                    )
                ],
                self.logged(),
            )

    def test_an_older_links_end_does_not_undo_a_newer_registration(self) -> None:
        """A process that moved to another link is not gone when the old one closes."""
        old = self.client(registration=1)
        old.report(a_report(out=1))
        new = self.client(registration=2)
        new.report(a_report(out=2))
        self.logged()
        old.hang_up()
        self.assertEqual(Gauge(1, 1), self.look().processes)
        self.assertEqual(2, self.look().checkouts.current)
        self.assertEqual(
            ["client ctl1 nova-api[42] left an older link: closed its link"],
            self.logged(),
        )

    def test_an_older_links_report_is_not_believed(self) -> None:
        """Once a newer link registered, the older one is closed when it speaks."""
        old = self.client(registration=1)
        new = self.client(registration=2)
        new.report(a_report(out=2))
        self.logged()
        self.assertEqual(
            "a report that is older than what is known", old.report(a_report(out=9))
        )
        self.assertFalse(old.is_open)
        self.assertTrue(new.is_open)
        self.assertEqual(2, self.look().checkouts.current)
        self.assertEqual(
            [
                (
                    "client ctl1 nova-api[42] left an older link: "
                    "a report that is older than what is known"
                )
            ],
            self.logged(),
        )

    def test_a_large_report_is_taken_after_the_greeting(self) -> None:
        """The greeting's tighter limit ends with it."""
        talk = self.client()
        talk.report(a_report(idle=5000))
        self.assertEqual(5000, self.look().connections.current)

    def test_a_repeated_report_closes_the_link(self) -> None:
        """A sequence number is used once."""
        talk = self.client()
        talk.report(a_report(3))
        talk.report(a_report(3))
        self.assertFalse(talk.is_open)

    def test_a_process_that_never_reported_leaves_no_row(self) -> None:
        """A registration alone is not worth remembering."""
        self.client().hang_up()
        self.assertEqual((), self.look().programs)


class ConsoleTests(NodeTestCase):
    """What a console gets."""

    def ask(self, console: Talk, *queries: Query) -> tuple[Frame, ...]:
        """What queries are answered with."""
        self.assertEqual({}, console.subscribe(60.0, queries, 7))
        self.pass_time(0)
        number, frames = console.caller.feeds[-1]
        self.assertEqual(7, number)
        return frames

    def test_a_frame_at_once_and_then_at_its_pace(self) -> None:
        """Hello and Subscribe are followed by frames of what is true then."""
        console = self.console()
        self.assertEqual({}, console.subscribe(2.0))
        self.assertEqual(1, len(console.caller.looks))
        self.client().report(a_report(out=2))
        self.pass_time(2.0)
        self.assertEqual(
            [0, 2], [each.checkouts.current for each in console.caller.looks]
        )

    def test_consoles_are_not_bound_to_speak(self) -> None:
        """A console that only looks on is not hung up on for its silence."""
        console = self.console()
        console.subscribe(60.0)
        self.pass_time(10 * commands.SILENCE_SECONDS)
        self.assertTrue(console.is_open)

    def test_a_second_subscription_replaces_the_first(self) -> None:
        """It begins at once, at its own pace; each feed says which one it answers."""
        console = self.console()
        console.subscribe(10.0, number=4)
        console.subscribe(1.0, [Query(NODES)], number=9)
        self.assertEqual([4, 9], console.caller.numbers)
        for _ in range(10):
            self.pass_time(1.0)
        self.assertEqual([4, *[9] * 11], console.caller.numbers)
        views = [frames[0].view for _, frames in console.caller.feeds]
        self.assertEqual([PROGRAMS, *[NODES] * 11], views)

    def test_many_subscriptions_are_still_one_unanswered_frame(self) -> None:
        """A console that asks without answering is not sent more and more."""
        console = self.console()
        console.caller.slow = True
        for number in range(5):
            console.subscribe(1.0, number=number)
            self.pass_time(1.0)
        self.assertEqual([0], console.caller.numbers)
        console.caller.unanswered.pop().callback({})
        self.pass_time(0)
        self.assertEqual([0, 4], console.caller.numbers)

    def test_coming_and_going_is_logged(self) -> None:
        """One line each; nothing is sent to a console that left."""
        console = self.console()
        console.subscribe(1.0)
        console.hang_up()
        self.assertEqual(
            [
                "console 10.0.0.9:5555 joined",
                "console 10.0.0.9:5555 left: closed its link",
            ],
            self.logged(),
        )
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_frames_of_every_size_arrive(self) -> None:
        """A picture larger than one AMP value is shown like any other."""
        for number in range(700):
            process = Identity(f"p{number}", f"host-{number:0100}", "api", number)
            self.board.registered(process, 1)
            report = decode_report(a_report())
            self.board.reported(process.process, 1, report, 0.0)
        console = self.console()
        console.subscribe()
        self.assertEqual([self.look()], console.caller.looks)
        self.assertEqual(700, len(self.look().programs))

    def test_each_query_has_its_frame(self) -> None:
        """In their order, all of one moment and with one head."""
        self.client().report(a_report(out=2))
        queries = [Query(view) for view in (NODES, PROGRAMS, CHECKOUTS, NODES)]
        frames = self.ask(self.console(), *queries)
        self.assertEqual(
            [each.view for each in queries], [each.view for each in frames]
        )
        self.assertEqual([1, 1, 2, 1], [each.count for each in frames])
        self.assertEqual(frames[0], frames[3])
        self.assertEqual({frames[0].head}, {each.head for each in frames})
        self.assertEqual(Gauge(2, 2), frames[0].head.checkouts)

    def test_every_view_is_shown(self) -> None:
        """With all of its fields, to whoever asks for none of them."""
        self.client().report(a_report(out=1))
        queries = [Query(view) for view in VIEWS]
        frames = self.ask(self.console(), *queries)
        self.assertEqual(list(VIEWS), [each.view for each in frames])
        for frame in frames:
            names = tuple(each.name for each in VIEWS[frame.view].fields)
            self.assertEqual(names, frame.fields)

    def test_what_happened_is_shown(self) -> None:
        """The newest first, each with its age then."""
        journal, console = self.node.mesh._journal, self.console()
        for text in ("this", "and that"):
            self.pass_time(5.0)
            journal.note(text, self.clock.seconds())
        self.pass_time(2.0)
        query = Query(EVENTS, fields=("age_seconds", "node", "text"))
        (frame,) = self.ask(console, query)
        shown = [dict(zip(frame.fields, row, strict=True)) for row in frame.rows]
        self.assertEqual(
            [(2.0, "node1", "and that"), (7.0, "node1", "this")],
            [(row["age_seconds"], row["node"], row["text"]) for row in shown],
        )

    def test_what_a_query_says_is_heard(self) -> None:
        """Which fields of which rows, in which order, and which of these."""
        for token, out in (("p1", 1), ("p2", 3), ("p3", 2), ("p4", 0)):
            talk = self.talk()
            talk.hello()
            talk.register(process=token, program=token)
            talk.report(a_report(out=out))
        query = Query(
            where=("ckout>0",),
            sort="-ckout",
            fields=("ckout", "what another version knows"),
            first=1,
            limit=1,
        )
        (frame,) = self.ask(self.console(), query)
        self.assertEqual(("hostname", "progname", "ckout"), frame.fields)
        self.assertEqual((("ctl1", "p3", 2),), frame.rows)
        self.assertEqual((1, 3, 4), (frame.first, frame.count, frame.total))

    def test_whatever_a_process_says_consoles_are_shown(self) -> None:
        """Numbers that cannot be are told as they can be, and cost no console."""
        console = self.console()
        for token, report in enumerate(absurd_reports()):
            for _ in range(2):
                talk = self.client(f"{token}.{len(self.talks)}")
                verdict = talk.report(encode_report(report))
                self.assertEqual({"whole": False, "interval": 1.0}, verdict)
            self.ask(console, *(Query(view) for view in VIEWS))
        self.pass_time(60.0)
        self.assertTrue(console.is_open)
        self.assertEqual(Gauge(18, 18), console.caller.feeds[-1][1][0].head.processes)

    def refused(self, console: Talk, *queries: Query) -> str:
        """Why queries are not answered: by the error, and by nothing else."""
        caught: list[Any] = []
        console.caller.callRemote(
            commands.Subscribe, queries=encode_queries(queries), interval=0.5, number=2
        ).addErrback(caught.append)
        console.pump.flush()
        (failure,) = caught
        self.assertIs(QueryError, failure.type)
        self.assertTrue(console.is_open)
        return str(failure.value)

    def test_a_query_that_cannot_be_asked_is_refused_in_words(self) -> None:
        """Of a newer version, or mistyped: the console goes on, and may ask again."""
        console = self.console()
        self.logged()
        for query, words in (
            (Query("queues"), "no view 'queues', expected programs, "),
            (Query("Programs"), "no view 'Programs', expected programs, "),
            (Query(""), "no view '', expected programs, "),
            (Query(sort="moods"), "no field 'moods' of programs"),
            (Query(sort="-pid"), "no field 'pid' of programs"),
            (Query(where=("mood:bad",)), "mood:bad"),
            (Query(where=("ckout>1", "ckout>many")), "ckout>many"),
            (Query(find='"never ended'), '"never ended'),
            (Query(NODES, where=("ckout>1",)), "ckout>1"),
            (Query(where=("x" * 1001,)), "1001 characters"),
        ):
            self.assertIn(words, self.refused(console, query))
        self.pass_time(60.0)
        self.assertEqual([], console.caller.feeds)
        self.assertEqual([], self.logged())
        self.assertEqual(PROGRAMS, self.ask(console, Query())[0].view)

    def test_what_was_asked_before_goes_on_after_a_refusal(self) -> None:
        """As it was, and no part of what was refused is answered."""
        console = self.console()
        console.subscribe(2.0, [Query(NODES)], number=1)
        self.pass_time(0.5)
        self.refused(console, Query(), Query("queues"))
        for _ in range(8):
            self.pass_time(0.5)
        self.assertEqual([1, 1, 1], console.caller.numbers)
        self.assertEqual([1, 1, 1], [len(frames) for _, frames in console.caller.feeds])
        self.assertEqual(NODES, console.caller.feeds[-1][1][0].view)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(queries(), min_size=1, max_size=3))
    def test_a_query_is_answered_or_refused_in_words(self, asked: list[Query]) -> None:
        """Whatever it asks, of whatever processes, the console is not left waiting."""
        if not self.talks:
            for number, report in enumerate(absurd_reports()):
                self.client(f"p{number}").report(encode_report(report))
            self.client("last").report(a_report(out=3, idle=2))
            self.console()
        console = self.talks[-1]
        before = len(console.caller.feeds)
        told = console.subscribe(60.0, asked, 3)
        self.assertTrue(console.is_open, told)
        if told != {}:
            self.assertIsInstance(told, str)
            self.assertEqual(before, len(console.caller.feeds))
            return
        self.pass_time(0)
        ((number, frames),) = console.caller.feeds[before:]
        self.assertEqual(3, number)
        for query, frame in zip(asked, frames, strict=True):
            self.assertEqual(query.view, frame.view)
            self.assertLessEqual(frame.count, frame.total + frame.count * query.tree)
            if query.limit != WHOLE:
                self.assertLessEqual(len(frame.rows), query.limit)

    def test_a_refusal_while_a_feed_is_unanswered(self) -> None:
        """It changes nothing of that either."""
        console = self.console()
        console.caller.slow = True
        console.subscribe(2.0, number=1)
        self.refused(console, Query("queues"))
        self.pass_time(2.0)
        self.assertEqual([1], console.caller.numbers)
        console.caller.unanswered.pop().callback({})
        self.pass_time(0)
        self.assertEqual([1, 1], console.caller.numbers)


def absurd_reports() -> Iterator[Report]:
    """First words of processes, of which none can be true."""
    counts = Histogram((MOST,) * BUCKETS, -FAR)
    for clock in (-FAR, 0.0, FAR):
        for since in (-FAR, 0.0, FAR):
            connections = tuple(
                ConnectionRecord(number, 1, state, since, -since, MOST, "")
                for number, state in enumerate((OUT, OUT, IDLE, DETACHED))
            )
            pool = PoolRecord(
                1,
                PoolFacts("", "", MOST, MOST, -since, since, True),
                Counters(*[MOST] * 10),
                Maxima(MOST, MOST),
                counts,
                counts,
            )
            yield Report(
                MOST,
                None,
                clock,
                since,
                Counters(*[MOST] * 10),
                Maxima(MOST, MOST),
                (pool, pool._replace(id=2, facts=PoolFacts("", "", 1, 0, -1.0, -1.0))),
                connections,
                began=-since,
            )


class MistakeTests(NodeTestCase):
    """Each mistake costs its own link one log line, and nobody else anything."""

    def check(
        self, expected: str, prepare: Callable[[], Talk], *wrong: Callable[[Talk], Any]
    ) -> None:
        """Make the mistakes; the first is told, logged once and closes its link."""
        other, looker = self.client("other"), self.console()
        other.report(a_report(out=1))
        talk = prepare()
        self.logged()
        for each in wrong:
            each(talk)
        self.assertFalse(talk.is_open)
        self.assertEqual([expected], self.logged())
        self.assertEqual(
            {"whole": False, "interval": 1.0}, other.report(a_report(1, out=2))
        )
        looker.subscribe()
        self.assertEqual(2, looker.caller.looks[-1].checkouts.current)

    def greeted(self) -> Talk:
        """A client that has greeted."""
        talk = self.talk()
        talk.hello()
        return talk

    def test_a_second_hello(self) -> None:
        """The greeting comes once."""
        self.check(
            "link from 10.0.0.1:5555 closed: a second Hello",
            self.greeted,
            lambda talk: self.assertEqual("a second Hello", talk.hello()),
        )

    def test_a_second_register(self) -> None:
        """A link stands for one process."""
        self.check(
            "client ctl1 nova-api[42] left: a second Register",
            self.client,
            lambda talk: talk.register(2),
        )

    def test_commands_before_hello(self) -> None:
        """Nothing is said before the greeting."""
        for say in (
            lambda talk: talk.register(),
            lambda talk: talk.subscribe(),
        ):
            talk = self.talk()
            say(talk)
            self.assertFalse(talk.is_open)
            self.assertEqual(1, len(self.logged()))

    def test_a_report_before_register(self) -> None:
        """Nobody is known to have sent it."""
        self.check(
            "link from 10.0.0.1:5555 closed: a Report before Register",
            self.greeted,
            lambda talk: talk.report(a_report()),
        )

    def test_a_report_from_a_console(self) -> None:
        """A console has nothing to report."""
        self.check(
            "console 10.0.0.9:5555 left: a Report before Register",
            self.console,
            lambda talk: talk.report(a_report()),
        )

    def test_a_client_that_subscribes(self) -> None:
        """Frames are for consoles."""
        self.check(
            "client ctl1 nova-api[42] left: "
            "a command for the role of a console, out of turn",
            self.client,
            lambda talk: talk.subscribe(),
        )

    def test_a_console_that_registers(self) -> None:
        """Processes are clients."""
        self.check(
            "console 10.0.0.9:5555 left: "
            "a command for the role of a client, out of turn",
            self.console,
            lambda talk: talk.register(),
        )

    def test_queries_that_are_none(self) -> None:
        """Not in words but in bytes: that is no mistake of whoever looks on."""
        good = msgpack.unpackb(encode_queries([Query()]))

        def changed(place: int, value: Any) -> bytes:
            (query,) = good[1]
            packed: bytes = msgpack.packb(
                [1, [[*query[:place], value, *query[place + 1 :]]]]
            )
            return packed

        for queries, words in (
            (b"", "a payload that is not msgpack (Unpack failed: incomplete input)"),
            (msgpack.packb([2, good[1]]), "a payload of format 2, expected 1"),
            (msgpack.packb([1]), "expected an array of 2 fields or more"),
            (msgpack.packb([1, []]), "expected 1 to 16 queries"),
            (msgpack.packb([1, good[1] * 17]), "expected 1 to 16 queries"),
            (msgpack.packb([1, [good[1][0][:13]]]), "expected an array of 14 fields"),
            (changed(0, 7), "expected text of at most 1024 characters"),
            (changed(3, 1), "a flag that is neither true nor false"),
            (changed(8, -1), "expected a whole number, not negative"),
        ):
            self.check_console(words, queries=queries)

    def test_other_arguments_of_a_subscription(self) -> None:
        """Each is needed, and is what it is said to be."""
        self.check_console(
            "Subscribe: a number that is none, or out of range", number=-1
        )
        self.check_console("Subscribe: a duration of -1.0 seconds", interval=-1.0)
        self.check_console(
            "Subscribe: a duration of nan seconds", interval=float("nan")
        )

    def check_console(self, words: str, **changes: Any) -> None:
        """A console that subscribes so is told the words, and hung up on."""
        talk = self.console()
        talk.subscribe(60.0)
        self.logged()
        arguments = {"queries": encode_queries([Query()]), "interval": 1.0, "number": 2}
        told = talk.say(commands.Subscribe, **{**arguments, **changes})
        self.assertIn(words, told)
        self.assertFalse(talk.is_open)
        self.assertEqual([f"console 10.0.0.9:5555 left: {told}"], self.logged())
        self.assertEqual([1], talk.caller.numbers)

    def test_a_subscription_of_a_console_before_this_protocol(self) -> None:
        """It asked for a view, and is told what is lacking."""

        def subscribe(talk: Talk) -> None:
            box = AmpBox(_command=b"Subscribe", _ask=b"9", view=b"nodes", interval=b"1")
            talk.end.dataReceived(box.serialize())
            talk.pump.flush()

        self.check(
            "console 10.0.0.9:5555 left: Subscribe: no argument b'queries'",
            self.console,
            subscribe,
        )

    def test_a_bad_payload(self) -> None:
        """A report that is none is not taken, and neither is what follows it."""
        self.check(
            "client ctl1 nova-api[42] left: a payload of format 9, expected 1",
            self.client,
            lambda talk: talk.report(b"\x9b" + bytes([9] * 11)),
        )

    def test_several_mistakes_in_one_read_are_one_line(self) -> None:
        """After the first mistake nothing more is heard."""

        def twice(talk: Talk) -> None:
            for _ in range(3):
                answer = talk.caller.callRemote(commands.Report, payload=b"")
                answer.addErrback(lambda failure: None)
            talk.caller.transport.write(b"\xff\xff")
            talk.pump.flush()

        self.check(
            "link from 10.0.0.1:5555 closed: a Report before Register",
            self.greeted,
            twice,
        )

    def test_rubbish_after_registration(self) -> None:
        """Bytes that are not AMP end the link like any other mistake."""

        def scream(talk: Talk) -> None:
            talk.caller.transport.write(b"GET / HTTP/1.1\r\n\r\n")
            talk.pump.flush()

        self.check(
            "client ctl1 nova-api[42] left: bytes that are not AMP",
            self.client,
            scream,
        )

    def test_commands_of_peers_are_for_peers(self) -> None:
        """A client that speaks like one is not heard."""

        def digest(talk: Talk) -> None:
            talk.caller.callRemote(commands.Digest, payload=b"").addErrback(
                lambda failure: None
            )
            talk.pump.flush()

        self.check(
            "link from 10.0.0.1:5555 closed: "
            "a command for the role of a peer, out of turn",
            self.greeted,
            digest,
        )

    def test_who_does_not_take_the_refusal_is_hung_up_on(self) -> None:
        """A console that reads nothing any more does not keep its link by that."""
        talk = self.console()
        box = AmpBox(_command=b"Report", _ask=b"9", payload=b"")
        talk.end.dataReceived(box.serialize())
        ended: list[str] = []
        talk.end.transport.abortConnection = lambda: ended.append("aborted")
        self.clock.advance(commands.ANSWER_SECONDS)
        self.assertEqual(["aborted"], ended)

    def test_our_own_bug_costs_the_link_only(self) -> None:
        """It is logged with its traceback, and the other side learns nothing of it."""

        def broken(*arguments: Any) -> Any:
            raise ZeroDivisionError("oh")

        talk = self.client()
        talk.report(a_report())
        self.logged()
        self.patch(self.board, "reported", broken)
        self.assertEqual("internal error", talk.report(a_report(1)))
        self.assertFalse(talk.is_open)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.assertEqual(
            [
                "while answering 10.0.0.1:5555",
                "client ctl1 nova-api[42] left: internal error",
            ],
            self.logged(),
        )
        self.assertEqual(0, self.look().processes.current)

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["Hello", "Register", "Report", "Subscribe", "Feed"]),
                st.dictionaries(
                    st.sampled_from(
                        [
                            "version",
                            "oldest",
                            "role",
                            "service",
                            "software",
                            "process",
                            "hostname",
                            "program",
                            "pid",
                            "registration",
                            "payload",
                            "queries",
                            "interval",
                            "number",
                        ]
                    ),
                    st.sampled_from(
                        [
                            b"1",
                            b"-1",
                            b"nan",
                            b"",
                            b"client",
                            b"console",
                            b"\xff",
                            encode_queries([Query(), Query(NODES)]),
                            encode_queries([Query("queues")]),
                        ]
                    ),
                ),
            ),
            max_size=6,
        )
    )
    def test_no_conversation_harms_the_node(
        self, boxes: list[tuple[str, dict[str, bytes]]]
    ) -> None:
        """Whatever is said, nothing is raised, and at the end nothing is left."""
        end = NodeLink(self.node)
        transport = BareTransport(end)
        for number, (command, arguments) in enumerate(boxes):
            box = AmpBox(_command=command.encode(), _ask=b"%d" % number)
            box.update((key.encode(), value) for key, value in arguments.items())
            if transport.connected:
                end.dataReceived(box.serialize())
        if transport.connected:
            transport.loseConnection()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual(0, self.look().processes.current)
        self.assertEqual(0, len(self.flushLoggedErrors()))

    def test_an_ipv6_address_is_logged_in_brackets(self) -> None:
        """The port is told from the address."""
        end = NodeLink(self.node)
        BareTransport(end)
        end.dataReceived(b"\x16\x03\x01")
        self.assertEqual(
            ["link from [::1]:5555 closed: bytes that are not AMP"], self.logged()
        )


class UnixTests(NodeTestCase):
    """Links by a UNIX socket, and whether processes are who they say."""

    own = os.getpid()

    def join(self, pid: int, said: int, registration: int = 1) -> Talk:
        """A client that is process ``pid`` and says it is ``said``."""
        talk = self.talk(pid=pid)
        talk.hello()
        talk.register(registration, pid=said)
        return talk

    def test_who_it_is_is_logged(self) -> None:
        """There is no address to tell, but a process and its user."""
        self.join(self.own, self.own).hang_up()
        who = f"client ctl1 nova-api[{self.own}]"
        self.assertEqual(
            [
                f"{who} joined from a UNIX socket, pid {self.own}, uid 1000",
                f"{who} left: closed its link",
            ],
            self.logged(),
        )

    def test_a_console(self) -> None:
        """It has no pid to say, and none to be wrong about."""
        talk = self.talk(pid=self.own)
        talk.hello(commands.CONSOLE)
        self.assertEqual(
            [f"console a UNIX socket, pid {self.own}, uid 1000 joined"], self.logged()
        )

    def test_another_pid_is_noted_and_not_refused(self) -> None:
        """One line; the note stays as long as the link."""
        talk = self.join(self.own, 42)
        self.assertEqual(
            [
                (
                    "client ctl1 nova-api[42] joined from "
                    f"a UNIX socket, pid {self.own}, uid 1000"
                ),
                (
                    f"client ctl1 nova-api[42] is process {self.own}, "
                    "by the credentials of its link"
                ),
            ],
            self.logged(),
        )
        noted = {"p1": Credentials(self.own, 1000, 100)}
        self.assertEqual(noted, self.node.mismatched)
        talk.report(a_report(out=1))
        self.assertEqual(Gauge(1, 1), self.look().processes)
        self.assertEqual(noted, self.node.mismatched)
        talk.hang_up()
        self.assertEqual({}, self.node.mismatched)

    def test_a_process_of_another_namespace_is_taken_at_its_word(self) -> None:
        """The kernel has no number for it here."""
        self.join(0, 42)
        self.assertEqual(
            [
                (
                    "client ctl1 nova-api[42] joined from "
                    "a UNIX socket, pid unknown, uid 1000"
                )
            ],
            self.logged(),
        )

    def test_a_process_that_is_gone_is_taken_at_its_word(self) -> None:
        """Who it was cannot be found out any more."""
        self.join(2**22 + 1, 42)
        self.assertEqual(1, len(self.logged()))

    def test_an_older_links_end_leaves_the_newer_ones_note(self) -> None:
        """Of whichever kind the older one was."""
        for older in (self.join(self.own, 42, 1), self.client("p1", 2)):
            newer = self.join(self.own, 42, 3)
            older.hang_up()
            self.assertEqual(["p1"], list(self.node.mismatched))
            newer.hang_up()
            self.assertEqual([], list(self.node.mismatched))


class WitnessTests(NodeTestCase):
    """Someone who looks on."""

    def test_all_that_is_believed(self) -> None:
        """Each report that was applied, and the end, in their order."""
        told: list[Any] = []

        class Witness:
            def reported(self, process: Process, report: Report) -> None:
                told.append((process.checkouts, report.sequence))

            def left(self, identity: Identity, now: float) -> None:
                told.append((identity.process, now))

        self.node = replace(self.node, witness=Witness(), interval=0.25)
        talk = self.talk()
        talk.hello()
        self.assertEqual({"interval": 0.25}, talk.register())
        answer = talk.report(a_report(0, out=2))
        self.assertEqual({"whole": False, "interval": 0.25}, answer)
        # It builds on what the node does not have.
        self.assertTrue(talk.report(a_report(5, base=4))["whole"])
        talk.report(a_report(6, out=1))
        self.clock.advance(3.0)
        talk.hang_up()
        self.assertEqual([(2, 0), (1, 6), ("p1", 3.0)], told)

    def test_a_link_that_a_newer_one_replaced(self) -> None:
        """Its end is not the end of the process."""
        left: list[str] = []

        class Witness:
            def reported(self, process: Process, report: Report) -> None:
                """Of no interest."""

            def left(self, identity: Identity, now: float) -> None:
                left.append(identity.process)

        self.node = replace(self.node, witness=Witness())
        older, newer = self.client("p1", 1), self.client("p1", 2)
        older.hang_up()
        self.assertEqual([], left)
        newer.hang_up()
        self.assertEqual(["p1"], left)
