"""Where frames come from: what is recorded meanwhile, and what a recording gives."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connmon.config import Address
from connmon.console.holders import Whose
from connmon.console.link import Failed, Uplink
from connmon.console.options import Target
from connmon.console.picture import as_line, of_line
from connmon.console.player import Player
from connmon.console.source import Past, Replayed, Taped, of_nodes
from connmon.console.tape import Recorder, Recording
from connmon.errors import ConfigError, QueryError
from connmon.views.answer import answer
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.views.recorded import WHOLE, Recorded
from connmon.views.schema import CHECKOUTS, EVENTS, HOSTS, PROGRAMS, SITES, TAGS, VIEWS
from tests.console.frames import FRAMES, HEAD
from tests.console.nodes import Eye, Seen

HERE = Address("10.0.0.1", 5800)
ORIGIN = str(HERE)
LOST = Failed(HERE, "it closed the link")
PICTURE = tuple(FRAMES[each.view] for each in WHOLE)
TARGET = Target("", (HERE,))


def answered(query: Query) -> Frame:
    """What a node with these frames answers."""
    return answer(Recorded(PICTURE), HEAD, query, 0.0)


class FakeUplink:
    """An uplink that remembers what it was told."""

    def __init__(self) -> None:
        """Idle."""
        self.told: list[object] = []
        self.number = 0

    def watch(self, queries: Sequence[Query], interval: float) -> int:
        """Remember it; a number unlike those that others give."""
        self.told.append((tuple(queries), interval))
        self.number += 1
        return 100 + self.number

    def stacks(self, whose: Whose) -> Deferred[Any]:
        """Answer with whom was asked for."""
        return succeed(whose)

    def start(self) -> None:
        """Remember it."""
        self.told.append("start")

    def stop(self) -> None:
        """Remember it."""
        self.told.append("stop")


class PastTests(SynchronousTestCase):
    """A picture as if it were a node."""

    def setUp(self) -> None:
        """No picture."""
        self.past = Past()
        self.eye = Eye()

    def test_each_view(self) -> None:
        """The answer is that of the node, whatever is asked."""
        self.past.take(PICTURE)
        for view in VIEWS:
            queries = (
                Query(view),
                Query(view, fields=VIEWS[view].key, limit=2, first=1),
                Query(view, sort=VIEWS[view].fields[0].name, alerts_first=True),
            )
            self.past.ask(queries)
            self.assertEqual(tuple(map(answered, queries)), self.past.frames())
            told = set(map(repr, self.past.frames()[0].rows))
            if view not in (SITES, TAGS):  # which are made of the connections
                self.assertEqual(set(map(repr, FRAMES[view].rows)), told)

    def test_checkouts_are_the_connections_that_are_out(self) -> None:
        """They are not recorded a second time."""
        self.assertNotIn(CHECKOUTS, [each.view for each in WHOLE])
        self.past.take(PICTURE)
        self.past.ask((Query(CHECKOUTS),))
        (frame,) = self.past.frames()
        self.assertEqual(
            {"out"}, {row[VIEWS[CHECKOUTS].index("state")] for row in frame.rows}
        )

    def test_nothing(self) -> None:
        """Without a picture there is nothing to show."""
        self.past.ask((Query(),))
        self.assertEqual((), self.past.frames())
        self.past.show(self.eye, ORIGIN, 1.0)
        self.assertEqual([], self.eye.seen)

    def test_rows_left_out(self) -> None:
        """That a node could not send all of them at once is told once."""
        first, *rest = PICTURE
        self.past.take((replace(first, rows=first.rows[:2], count=7), *rest))
        self.past.ask((Query(),))
        for at in (1.0, 2.0):
            self.past.show(self.eye, ORIGIN, at)
        said = f"recorded are only 2 of 7 {PROGRAMS}, a node sends no more at once"
        self.assertEqual([f"warned {said}"], self.eye.told)
        self.assertEqual(2, len(self.eye.seen))

    def test_what_cannot_be_asked(self) -> None:
        """It is refused, as a node would."""
        self.past.take(PICTURE)
        self.past.ask((Query(sort="nope"),))
        self.assertRaises(QueryError, self.past.frames)
        self.past.show(self.eye, ORIGIN, 1.0)
        (told,) = self.eye.told
        self.assertTrue(told.startswith("refused 1: no field 'nope'"), told)


class TapedTests(SynchronousTestCase):
    """A node's frames, recorded as they come."""

    def setUp(self) -> None:
        """A recording, an uplink and a viewer."""
        self.clock = Clock()
        self.eye = Eye()
        self.uplink = FakeUplink()
        self.path = self.mktemp()
        self.recorder = Recorder(self.path)
        self.taped = Taped(self.clock, self.eye, self.recorder)
        uplink: Any = self.uplink
        self.taped.join(uplink)

    def came(self, at: float = 1.0) -> None:
        """A picture comes from the node."""
        self.taped.shown(PICTURE, 101, ORIGIN, at)

    def test_stacks(self) -> None:
        """The node is asked, and nothing of it is recorded."""
        self.assertEqual(
            Whose("3fa2"), self.successResultOf(self.taped.stacks(Whose("3fa2")))
        )
        self.assertEqual([], self.recorded())

    def recorded(self) -> list[float]:
        """When the pictures were taken that are in the file."""
        recording = Recording(self.path)
        self.addCleanup(recording.close)
        for index in range(len(recording)):
            self.assertEqual(PICTURE, of_line(recording.picture(index)[1]))
        return list(recording.times)

    def test_everything_is_asked_for(self) -> None:
        """Whatever the viewer asks for, at its pace; and once."""
        self.assertEqual(1, self.taped.watch((Query(HOSTS),), 2.0))
        self.assertEqual(2, self.taped.watch((Query(EVENTS),), 2.0))
        self.assertEqual(3, self.taped.watch((Query(EVENTS),), 0.5))
        self.taped.start()
        self.assertEqual([(WHOLE, 2.0), (WHOLE, 0.5), "start"], self.uplink.told)

    def test_a_picture(self) -> None:
        """It is in the file, and what was asked of it is shown."""
        self.taped.watch((Query(HOSTS), Query(PROGRAMS, limit=1)), 2.0)
        self.came(5.0)
        queries = (Query(HOSTS), Query(PROGRAMS, limit=1))
        seen = Seen(tuple(map(answered, queries)), 1, ORIGIN, 5.0)
        self.assertEqual([seen], self.eye.seen)
        self.assertEqual([5.0], self.recorded())

    def test_another_question(self) -> None:
        """It is answered in the next turn, from the picture that is there."""
        self.taped.watch((Query(HOSTS),), 2.0)
        self.came(5.0)
        self.taped.watch((Query(PROGRAMS),), 2.0)
        self.taped.watch((Query(EVENTS),), 2.0)
        self.assertEqual(1, len(self.eye.seen))
        self.clock.advance(0)
        self.assertEqual(
            Seen((answered(Query(EVENTS)),), 3, ORIGIN, 5.0), self.eye.seen[-1]
        )
        self.assertEqual(2, len(self.eye.seen))
        self.assertEqual([5.0], self.recorded())

    def test_another_question_without_a_node(self) -> None:
        """What the lost one said is not shown as if it were new."""
        self.taped.watch((Query(HOSTS),), 2.0)
        self.clock.advance(0)
        self.came()
        self.taped.lost(LOST)
        self.taped.watch((Query(PROGRAMS),), 2.0)
        self.clock.advance(0)
        self.assertEqual(1, len(self.eye.seen))
        self.came()
        self.assertEqual(2, len(self.eye.seen))

    def test_what_becomes_of_the_link(self) -> None:
        """The viewer is told as if it were its own."""
        self.taped.watch((Query(HOSTS),), 2.0)
        self.taped.trying(HERE, 0.5)
        self.taped.lost(LOST)
        self.taped.noted("something")
        self.taped.warned("something else")
        self.taped.refused("no view 'hosts'", 101)
        self.assertTrue(self.taped.exhausted((LOST,)))
        self.eye.patience = 0
        self.assertFalse(self.taped.exhausted((LOST,)))
        self.assertEqual([(ORIGIN, 0.5)], self.eye.tries)
        self.assertEqual(
            [
                f"lost {LOST}",
                "noted something",
                "warned something else",
                "refused 1: no view 'hosts'",
                f"tried {LOST}",
                f"tried {LOST}",
            ],
            self.eye.told,
        )

    def test_a_recording_that_breaks_off(self) -> None:
        """It is said once; what is shown goes on."""
        self.taped.watch((Query(HOSTS),), 2.0)
        self.came(1.0)
        full = os.open("/dev/full", os.O_RDWR)
        self.addCleanup(os.close, full)
        self.patch(self.recorder, "_fd", os.dup(full))
        for at in (2.0, 3.0, 4.0):
            self.came(at)
        self.assertEqual(4, len(self.eye.seen))
        why = f"cannot record to {self.path}: No space left on device"
        self.assertEqual([f"noted the recording ends: {why}"], self.eye.told)
        self.assertEqual([1.0], self.recorded())

    if not os.path.exists("/dev/full"):
        test_a_recording_that_breaks_off.skip = (  # type: ignore[attr-defined]
            "no /dev/full"
        )

    def test_the_end(self) -> None:
        """The link is closed, and so is the file; nothing is left that waits."""
        self.taped.watch((Query(HOSTS),), 2.0)
        self.came()
        self.taped.watch((Query(PROGRAMS),), 2.0)
        self.taped.stop()
        self.taped.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertTrue(self.recorder.closed)
        self.assertEqual("stop", self.uplink.told[-1])


class ReplayedTests(SynchronousTestCase):
    """What was recorded, played."""

    def setUp(self) -> None:
        """Three pictures, a second apart."""
        self.clock = Clock()
        self.eye = Eye()
        path = self.mktemp()
        recorder = Recorder(path)
        for at in (10.0, 11.0, 12.0):
            recorder.record(at, as_line(PICTURE))
        recorder.close()
        self.recording = Recording(path)
        self.addCleanup(self.recording.close)
        self.replayed = Replayed(self.clock, self.eye, "a.rec")
        self.player = Player(
            self.clock, self.recording, self.replayed.played, lambda: None
        )
        self.replayed.join(self.player)

    def test_stacks(self) -> None:
        """There are none."""
        failure = self.failureResultOf(self.replayed.stacks(Whose("3fa2")))
        self.assertEqual("a recording has no stacks", failure.getErrorMessage())

    def test_it_plays(self) -> None:
        """What was asked is answered from each picture in turn."""
        self.assertEqual(1, self.replayed.watch((Query(EVENTS),), 2.0))
        self.replayed.start()
        self.clock.pump([0, 1, 1, 1])
        frame = answered(Query(EVENTS))
        self.assertEqual(
            [Seen((frame,), 1, "a.rec", at) for at in (10.0, 11.0, 12.0)],
            self.eye.seen,
        )

    def test_another_question(self) -> None:
        """It is answered from the picture that is shown, also where that stays."""
        self.replayed.watch((Query(EVENTS),), 2.0)
        self.replayed.start()
        self.clock.advance(0)
        self.player.pause()
        self.replayed.watch((Query(HOSTS),), 2.0)
        self.replayed.watch((Query(HOSTS),), 2.0)
        self.clock.advance(5)
        self.assertEqual(
            Seen((answered(Query(HOSTS)),), 3, "a.rec", 10.0), self.eye.seen[-1]
        )
        self.assertEqual(2, len(self.eye.seen))

    def test_before_it_plays(self) -> None:
        """There is nothing to be asked."""
        self.replayed.watch((Query(EVENTS),), 2.0)
        self.clock.advance(0)
        self.assertEqual([], self.eye.seen)

    def test_what_is_no_picture(self) -> None:
        """It is passed over, and told: the one before stays."""
        self.replayed.watch((Query(EVENTS),), 2.0)
        self.replayed.played(1.0, as_line(PICTURE))
        self.replayed.played(2.0, b"{}")
        self.replayed.watch((Query(HOSTS),), 2.0)
        self.clock.advance(0)
        self.assertEqual([1.0, 1.0], [each.at for each in self.eye.seen])
        (told,) = self.eye.told
        self.assertTrue(told.startswith("noted "), told)

    def test_the_end(self) -> None:
        """Nothing is left that waits."""
        self.replayed.watch((Query(EVENTS),), 2.0)
        self.replayed.start()
        self.replayed.watch((Query(HOSTS),), 2.0)
        self.replayed.stop()
        self.assertEqual([], self.clock.getDelayedCalls())


class OfNodesTests(SynchronousTestCase):
    """Nodes as a source, recorded or not."""

    def test_kinds(self) -> None:
        """With a file they are recorded, and the file is begun at once."""
        plain = of_nodes(Clock(), Eye(), TARGET)
        self.assertIsInstance(plain, Uplink)
        path = self.mktemp()
        taped = of_nodes(Clock(), Eye(), TARGET, path)
        self.addCleanup(taped.stop)
        self.assertIsInstance(taped, Taped)
        self.assertTrue(Path(path).stat().st_size)

    def test_a_file_that_cannot_be_written(self) -> None:
        """That is an error before anything else happens."""
        self.assertRaises(
            ConfigError, of_nodes, Clock(), Eye(), TARGET, "/nonexistent/x"
        )
