"""Tests of the batch viewer: what is written where, and with which status it ends."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from twisted.trial.unittest import SynchronousTestCase

from connmon.config import Address
from connmon.console.batch import Look
from connmon.console.link import Failed
from connmon.console.options import Target
from connmon.console.picture import as_line
from connmon.console.stream import Stream, replay, run, write, writer
from connmon.console.tape import Recorder, Recording
from connmon.console.text import ASCII
from connmon.errors import ConfigError, ConnmonError
from connmon.views import query
from connmon.views.frame import Frame, Head
from connmon.views.query import Query
from connmon.views.recorded import WHOLE
from connmon.views.schema import EVENTS, HOSTS, PROGRAMS, VIEWS
from tests.console.frames import FRAMES, a_frame, a_program
from tests.console.nodes import Asked, Staged

HERE, THERE = Address("10.0.0.1", 5800), Address("10.0.0.2", 5800)
LOST = Failed(HERE, "it closed the link")
FRAME = FRAMES[PROGRAMS]
PICTURE = tuple(FRAMES[each.view] for each in WHOLE)
LOOK = Look(glyphs=ASCII)


def plainly(frame: Frame, now: float, first: bool) -> str:
    """Write a frame in a way that is easy to read."""
    return f"{frame.head.node} {now:g} {'first' if first else 'again'}\n"


def of(node: str) -> Frame:
    """A frame made by that node."""
    return a_frame(PROGRAMS, head=Head("default", node))


class StreamTests(SynchronousTestCase):
    """The viewer by itself."""

    def setUp(self) -> None:
        """Two files in memory, and no status yet."""
        self.out, self.err = io.StringIO(), io.StringIO()
        self.statuses: list[int] = []

    def stream(
        self,
        iterations: int | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> Stream:
        """A viewer that writes ``iterations`` frames."""
        stop = self.statuses.append
        out, err = out or self.out, err or self.err
        return Stream(out, err, plainly, iterations, stop)

    def show(self, stream: Stream, node: str = "a", at: float = 1.0) -> None:
        """A frame comes from a node."""
        stream.shown((of(node),), 1, f"{node}:5800", at)

    def test_each_frame_is_written(self) -> None:
        """The first is told from the others, for headings; each has its time."""
        stream = self.stream()
        for at, name in enumerate("abc"):
            self.show(stream, name, at)
        self.assertEqual("a 0 first\nb 1 again\nc 2 again\n", self.out.getvalue())
        self.assertEqual(("", []), (self.err.getvalue(), self.statuses))
        self.assertFalse(stream.ended)

    def test_rows_that_were_left_out_are_told_once(self) -> None:
        """A node sends no more of them than fit into one box."""
        stream = self.stream()
        for _ in range(2):
            stream.shown((replace(of("a"), count=7),), 1, "a:5800", 1.0)
        self.assertEqual(
            "connmon: only 0 of 7 programs, a node sends no more at once: "
            "use --filter\n",
            self.err.getvalue(),
        )
        self.assertEqual(2, self.out.getvalue().count("\n"))

    def test_it_ends_after_so_many(self) -> None:
        """With status 0, and nothing of what still comes is written."""
        stream = self.stream(2)
        for _ in range(4):
            self.show(stream)
        self.assertEqual(2, self.out.getvalue().count("\n"))
        self.assertEqual([0], self.statuses)
        self.assertTrue(stream.ended)

    def test_a_lost_node_is_told_with_the_one_that_follows(self) -> None:
        """It is no end: one line on standard error, once frames come again."""
        stream = self.stream()
        stream.lost(LOST)
        stream.trying(THERE, 1.0)
        self.assertEqual(("", []), (self.err.getvalue(), self.statuses))
        self.show(stream, "b")
        self.show(stream, "b")
        self.assertEqual(
            "connmon: lost 10.0.0.1:5800 (it closed the link); going on with b:5800\n",
            self.err.getvalue(),
        )

    def test_a_lost_node_that_none_follows_is_one_line_too(self) -> None:
        """The end says what was lost, and what was tried then."""
        stream = self.stream()
        stream.lost(LOST)
        stream.exhausted((Failed(Address("::1", 1), "connection refused"),))
        self.assertEqual(
            "connmon: lost 10.0.0.1:5800 (it closed the link); no daemon reached, "
            "tried [::1]:1 (connection refused)\n",
            self.err.getvalue(),
        )

    def test_no_node_left_is_status_1(self) -> None:
        """What was tried is told in one line."""
        other = Failed(Address("::1", 1), "connection refused")
        self.assertFalse(self.stream().exhausted((LOST, other)))
        self.assertEqual(
            "connmon: no daemon reached, tried 10.0.0.1:5800 (it closed the link), "
            "[::1]:1 (connection refused)\n",
            self.err.getvalue(),
        )
        self.assertEqual([1], self.statuses)

    def test_refused(self) -> None:
        """What the node does not understand ends it, with its words."""
        stream = self.stream()
        stream.refused("no view 'hosts'", 1)
        self.show(stream)
        self.assertEqual("connmon: no view 'hosts'\n", self.err.getvalue())
        self.assertEqual(("", [1]), (self.out.getvalue(), self.statuses))

    def test_refused_by_one_of_several(self) -> None:
        """Where another node understood it, one is sought that does."""
        stream = self.stream()
        self.show(stream)
        stream.lost(LOST)
        stream.refused("no view 'hosts'", 1)
        self.show(stream, "c")
        self.assertEqual([], self.statuses)
        self.assertEqual(2, self.out.getvalue().count("\n"))

    def test_a_recording_that_breaks_off(self) -> None:
        """It is said; the frames go on, and the status tells in the end."""
        stream = self.stream(2)
        stream.noted("the recording ends: no space")
        self.show(stream)
        self.show(stream)
        self.assertEqual("connmon: the recording ends: no space\n", self.err.getvalue())
        self.assertEqual(2, self.out.getvalue().count("\n"))
        self.assertEqual([1], self.statuses)

    def test_a_recording_that_lacks_rows(self) -> None:
        """It is said, and is no failure."""
        stream = self.stream(1)
        stream.warned("recorded are only 2 of 7 pools")
        self.show(stream)
        self.assertEqual(
            "connmon: recorded are only 2 of 7 pools\n", self.err.getvalue()
        )
        self.assertEqual([0], self.statuses)

    def test_a_reader_that_left_is_no_error(self) -> None:
        """``connmon --json | head -1`` ends without a word."""
        read, write = os.pipe()
        out = os.fdopen(write, "w")
        self.addCleanup(out.close)
        stream = self.stream(out=out)
        os.close(read)
        self.show(stream)
        self.show(stream)
        self.assertEqual(("", [0]), (self.err.getvalue(), self.statuses))

    def test_nobody_reads_the_errors(self) -> None:
        """``connmon 2>&1 | head -1`` is none either."""
        read, write = os.pipe()
        err = os.fdopen(write, "w")
        os.close(read)
        stream = self.stream(err=err)
        stream.noted("something")
        stream.lost(LOST)
        self.show(stream)
        self.assertEqual([], self.statuses)
        self.assertRaises(BrokenPipeError, err.close)

    def test_a_full_disk_is_one(self) -> None:
        """Status 1, and the reason once."""
        out = open("/dev/full", "w")  # noqa: SIM115 closed at the end of the test
        self.addCleanup(out.close)
        stream = self.stream(out=out)
        self.show(stream)
        self.show(stream)
        self.assertEqual(
            "connmon: cannot write: No space left on device\n", self.err.getvalue()
        )
        self.assertEqual([1], self.statuses)

    if not os.path.exists("/dev/full"):
        test_a_full_disk_is_one.skip = "no /dev/full"  # type: ignore[attr-defined]


class WriterTests(SynchronousTestCase):
    """Each form."""

    def test_json(self) -> None:
        """One object on one line."""
        text = writer("json", LOOK)(FRAME, 12.5, True)
        self.assertEqual(1, text.count("\n"))
        self.assertTrue(text.endswith("\n"))
        self.assertEqual(12.5, json.loads(text)["time"])

    def test_log(self) -> None:
        """The totals on one line."""
        text = writer("log", LOOK)(FRAME, 12.5, True)
        self.assertEqual(1, text.count("\n"))
        self.assertIn(" connmon default@node1  Hosts 5 max 7 ", text)

    def test_csv(self) -> None:
        """Names first, and only once; one line for each row."""
        write = writer("csv", LOOK)
        frame = a_frame(PROGRAMS, [a_program()])
        first, again = write(frame, 1.0, True), write(frame, 2.0, False)
        self.assertTrue(first.startswith("time,hostname,progname,"), first)
        self.assertEqual((2, 1), (first.count("\r\n"), again.count("\r\n")))
        self.assertTrue(again.startswith("2.0,ctl1,nova-api,"), again)

    def test_csv_without_rows(self) -> None:
        """There are names at least."""
        text = writer("csv", LOOK)(a_frame(PROGRAMS), 1.0, True)
        self.assertEqual(1, text.count("\r\n"))

    def test_text(self) -> None:
        """Ticks are parted by a blank line, and as wide as was asked for."""
        write = writer("text", Look(40, glyphs=ASCII))
        first, again = write(FRAME, 1.0, True), write(FRAME, 2.0, False)
        self.assertTrue(first.startswith("connmon default@node1"))
        self.assertTrue(again.startswith("\nconnmon default@node1"))
        self.assertEqual(40, max(map(len, first.splitlines())))


class RunTestCase(SynchronousTestCase):
    """The viewer with its link and its signals."""

    def setUp(self) -> None:
        """A file for standard output, and signals that nobody has set to be ignored.

        A job in the background of a script has some that are.
        """
        self.out = os.open(self.mktemp(), os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, self.out)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.addCleanup(
                signal.signal, number, signal.signal(number, signal.SIG_DFL)
            )

    def run_with(
        self,
        meanwhile: Callable[[Staged], None],
        iterations: int | None = None,
        view: str = PROGRAMS,
        record: str | None = None,
        limit: int = query.WHOLE,
    ) -> tuple[int, str, Staged]:
        """Run; the status, standard error, and the reactor."""
        reactor = Staged(meanwhile)
        with redirect_stderr(io.StringIO()) as err:
            status = run(
                reactor,
                Target("", (HERE,)),
                Query(view, limit=limit),
                writer("json", LOOK),
                2.0,
                iterations=iterations,
                record=record,
                fd=self.out,
            )
        self.assertEqual([], reactor.getDelayedCalls())
        return status, err.getvalue(), reactor

    def written(self) -> list[str]:
        """The lines that were written since this was asked last."""
        written = os.pread(self.out, os.fstat(self.out).st_size, 0)
        os.truncate(self.out, 0)
        os.lseek(self.out, 0, os.SEEK_SET)
        return written.decode("ascii").splitlines()


class RunTests(RunTestCase):
    """Frames of a node."""

    def test_one_frame(self) -> None:
        """It is written, the link is closed, the reactor stopped, the status 0."""

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            self.assertEqual(Asked((Query(PROGRAMS),), 2.0, 1), met.asked)
            met.feed(a_frame(PROGRAMS, [a_program("web1", "日本\udc80")]))
            self.assertTrue(met.node.ended)

        status, err, reactor = self.run_with(meanwhile, 1)
        self.assertEqual((0, "", 1), (status, err, reactor.stops))
        (line,) = self.written()
        self.assertEqual("日本?", json.loads(line)["programs"][0]["progname"])

    def test_every_view(self) -> None:
        """It is asked for, and written."""
        for view in VIEWS:

            def meanwhile(reactor: Staged, view: str = view) -> None:
                met = reactor.meet()
                self.assertEqual((Query(view),), met.asked.queries)
                met.feed(FRAMES[view])

            self.assertEqual((0, ""), self.run_with(meanwhile, 1, view)[:2])
            (line,) = self.written()
            self.assertEqual(len(FRAMES[view].rows), len(json.loads(line)[view]))

    def test_only_rows_that_were_asked_for_are_missed(self) -> None:
        """One of fifteen is all that was wanted; one of ten is not."""
        rows = [a_program()]
        for limit, told in (
            (1, ""),
            (10, "1 of 10 programs"),
            (20, "1 of 15 programs"),
            (query.WHOLE, "1 of 15 programs"),
        ):

            def meanwhile(reactor: Staged) -> None:
                reactor.meet().feed(replace(a_frame(PROGRAMS, rows), count=15))

            status, err, _ = self.run_with(meanwhile, 1, limit=limit)
            said = f"connmon: only {told}, a node sends no more at once: use --filter\n"
            self.assertEqual((0, said if told else ""), (status, err))

    def test_what_the_node_does_not_understand(self) -> None:
        """One line with its words, and status 1; nothing is written."""

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet(puzzled="no view 'hosts'")
            self.assertTrue(met.node.ended)

        status, err, _ = self.run_with(meanwhile, None, HOSTS)
        self.assertEqual((1, "connmon: no view 'hosts'\n"), (status, err))
        self.assertEqual([], self.written())

    def test_no_daemon(self) -> None:
        """One line of what was tried, and status 1."""

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            met.hang_up()

        status, err, _ = self.run_with(meanwhile)
        self.assertEqual(1, status)
        self.assertEqual(
            "connmon: no daemon reached, tried 10.0.0.1:5800 (it closed the link)\n",
            err,
        )

    def test_signals(self) -> None:
        """Each ends with the status a shell would give, at any time."""
        for number, expected in (
            (signal.SIGINT, 130),
            (signal.SIGTERM, 143),
            (signal.SIGHUP, 129),
        ):

            def meanwhile(reactor: Staged, number: int = number) -> None:
                signal.raise_signal(number)

            self.assertEqual((expected, ""), self.run_with(meanwhile)[:2])

    def test_a_second_signal_changes_nothing(self) -> None:
        """It may come before the reactor has stopped."""

        def meanwhile(reactor: Staged) -> None:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)

        status, _, reactor = self.run_with(meanwhile)
        self.assertEqual((143, 1), (status, reactor.stops))

    def test_an_ignored_signal_stays_ignored(self) -> None:
        """``nohup`` means it."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

        def meanwhile(reactor: Staged) -> None:
            signal.raise_signal(signal.SIGHUP)
            self.assertEqual(0, reactor.stops)
            signal.raise_signal(signal.SIGTERM)

        status, _, reactor = self.run_with(meanwhile)
        self.assertEqual((143, 1), (status, reactor.stops))


class RecordTests(RunTestCase):
    """What is written, and recorded meanwhile, is the same when it is replayed."""

    def fed(self, view: str, path: str, count: int = 3) -> list[str]:
        """The lines of so many frames, recorded to a file."""

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            self.assertEqual((WHOLE, 2.0), met.asked[:2])
            for _ in range(count):
                met.feed(*PICTURE)
                reactor.advance(0)

        self.assertEqual((0, ""), self.run_with(meanwhile, count, view, path)[:2])
        lines = self.written()
        self.assertEqual(count, len(lines))
        return lines

    def replayed(
        self, path: str, view: str, begin: int = 0, iterations: int | None = None
    ) -> tuple[int, list[str], str]:
        """Status, lines and standard error of a replay."""
        recording = Recording(path)
        self.addCleanup(recording.close)
        with redirect_stderr(io.StringIO()) as err:
            status = replay(
                recording,
                begin,
                Query(view),
                writer("json", LOOK),
                iterations=iterations,
                fd=self.out,
            )
        return status, self.written(), err.getvalue()

    def test_the_same_when_replayed(self) -> None:
        """Line by line, whatever view was shown, and whatever view is wanted."""
        whole = self.mktemp()
        lines = {view: self.fed(view, f"{whole}-{view}") for view in VIEWS}
        for view in VIEWS:
            self.assertEqual(
                (0, lines[view], ""), self.replayed(f"{whole}-{view}", view)
            )
            _, told, _ = self.replayed(f"{whole}-{PROGRAMS}", view)
            self.assertEqual(self.rows(lines[view], view), self.rows(told, view))

    def rows(self, lines: list[str], view: str) -> list[list[dict[str, object]]]:
        """The rows of each line, without the times that events have by then."""
        told = [json.loads(line)[view] for line in lines]
        for row in (row for rows in told for row in rows):
            row.pop("time", None)
        return told

    def test_a_part(self) -> None:
        """From a picture on, and so many."""
        path = self.mktemp()
        lines = self.fed(EVENTS, path, 5)
        self.assertEqual((0, lines[3:], ""), self.replayed(path, EVENTS, 3))
        self.assertEqual((0, lines[1:3], ""), self.replayed(path, EVENTS, 1, 2))

    def test_cut_off(self) -> None:
        """What is whole is written, and one line tells of the rest; no failure."""
        path = self.mktemp()
        lines = self.fed(HOSTS, path)
        size = os.path.getsize(path)
        os.truncate(path, size - 100)
        status, told, err = self.replayed(path, HOSTS)
        self.assertEqual((0, lines[:2]), (status, told))
        self.assertEqual(
            f"connmon: {path}: cut off at byte {size - 100}, "
            "the last picture is not whole\n",
            err,
        )
        self.assertEqual((0, lines[:1], ""), self.replayed(path, HOSTS, 0, 1))

    def test_damaged(self) -> None:
        """A picture that cannot be read, or is none, is passed over, and told."""
        path = self.mktemp()
        recorder = Recorder(path)
        for line in (as_line(PICTURE), b"[2, []]", as_line(PICTURE)):
            recorder.record(1.0, line)
        recorder.close()
        status, told, err = self.replayed(path, HOSTS)
        self.assertEqual((0, 2), (status, len(told)))
        self.assertTrue(err.startswith("connmon: picture 2: expected an array"), err)
        self.assertEqual(1, err.count("\n"))

    def test_a_reader_that_left(self) -> None:
        """The replay ends without a word."""
        path = self.mktemp()
        self.fed(HOSTS, path)
        recording = Recording(path)
        self.addCleanup(recording.close)
        read, write = os.pipe()
        self.addCleanup(os.close, write)
        os.close(read)
        with redirect_stderr(io.StringIO()) as err:
            status = replay(
                recording,
                0,
                Query(HOSTS),
                writer("json", LOOK),
                iterations=None,
                fd=write,
            )
        self.assertEqual((0, ""), (status, err.getvalue()))

    def test_a_file_that_cannot_be_written(self) -> None:
        """It is an error before any node is sought."""

        def meanwhile(reactor: Staged) -> None:
            raise AssertionError("it runs")

        self.assertRaises(
            ConfigError, self.run_with, meanwhile, 1, HOSTS, "/nonexistent/x"
        )

    def test_a_disk_that_is_full(self) -> None:
        """It is said once, what is written goes on, and the status tells."""
        path = self.mktemp()

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            met.feed(*PICTURE)
            room = os.path.getsize(path) + 10
            _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
            try:
                for _ in range(3):
                    met.feed(*PICTURE)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGXFSZ, before)
        # Of a pipe there is no limit.
        read, self.out = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, self.out)
        status, err, _ = self.run_with(meanwhile, 4, HOSTS, path)
        self.assertEqual(1, status)
        self.assertEqual(
            f"connmon: the recording ends: cannot record to {path}: File too large\n",
            err,
        )
        self.assertEqual(4, os.read(read, 65536).count(b"\n"))
        recording = Recording(path)
        self.addCleanup(recording.close)
        self.assertEqual((1, ""), (len(recording), recording.damage))


class WriteTests(SynchronousTestCase):
    """``write``: what is no frame."""

    def test_text(self) -> None:
        """It is written as UTF-8, whatever the locale."""
        path = self.mktemp()
        with open(path, "w") as file:
            write("日本\n", file.fileno())
        self.assertEqual("日本\n", Path(path).read_text("utf-8"))

    def test_a_reader_that_left(self) -> None:
        """That is no error."""
        read, other = os.pipe()
        self.addCleanup(os.close, other)
        os.close(read)
        write("x" * 1_000_000, other)

    def test_a_full_disk(self) -> None:
        """That is one, in one line."""
        with open("/dev/full", "w") as full:
            error = self.assertRaises(ConnmonError, write, "x", full.fileno())
        self.assertEqual("cannot write: No space left on device", str(error))

    if not os.path.exists("/dev/full"):
        test_a_full_disk.skip = "no /dev/full"  # type: ignore[attr-defined]
