"""Tests of playing a recording: what is seen when, and which moment is meant."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.player import FASTEST, FRAME, SLOWEST, Player, moment
from connmon.console.tape import Recorder, Recording
from connmon.errors import OutOfTurn, QueryError

QUICK = settings(deadline=None, max_examples=100, database=None)


class Theatre:
    """A player at work: its recording, its clock, and what was seen of it."""

    def __init__(self, path: str, times: Sequence[float], speed: float = 1.0) -> None:
        """Record pictures of these times, each its index, and be ready to play them."""
        self.path = path
        self.recorder = Recorder(path)
        self.add(times)
        self.recording = Recording(path)
        self.clock = Clock()
        self.seen: list[int] = []
        #: How many pictures had been seen each time that the end was told.
        self.ends: list[int] = []
        self.player = Player(self.clock, self.recording, self.show, self.ended, speed)

    def add(self, times: Sequence[float]) -> None:
        """Record more."""
        for taken in times:
            self.recorder.record(taken, b"%r" % taken)

    def show(self, taken: float, line: bytes) -> None:
        """Be shown a picture."""
        assert line == b"%r" % taken
        index = self.player.position[0]
        assert self.recording.times[index] == taken
        self.seen.append(index)

    def ended(self) -> None:
        """Be told of the end."""
        self.ends.append(len(self.seen))

    def after(self, *seconds: float) -> list[int]:
        """What is seen in the course of these steps of the clock."""
        before = len(self.seen)
        for step in seconds:
            self.clock.advance(step)
        return self.seen[before:]

    def break_picture(self, index: int) -> None:
        """Damage a picture in the file, though not its header."""
        offset = self.recording._offsets[index]
        with open(self.path, "r+b") as file:
            file.seek(offset + 32)
            file.write(b"\xff\xff")

    def close(self) -> None:
        """Let go of the files; nothing may be left waiting."""
        self.player.stop()
        self.recording.close()
        self.recorder.close()
        assert not self.clock.getDelayedCalls()


class PlayerTestCase(SynchronousTestCase):
    """Has theatres."""

    def theatre(self, times: Sequence[float], speed: float = 1.0) -> Theatre:
        """A theatre, closed in the end."""
        theatre = Theatre(self.mktemp(), times, speed)
        self.addCleanup(theatre.close)
        return theatre

    def playing(self, times: Sequence[float], speed: float = 1.0) -> Theatre:
        """A theatre where it has begun."""
        theatre = self.theatre(times, speed)
        theatre.player.start()
        return theatre


class PlayingTests(PlayerTestCase):
    """Pictures come when they are due."""

    def test_the_first_at_once(self) -> None:
        """Nothing is seen before the start; then the first picture is."""
        theatre = self.theatre([5.0, 6.0])
        self.assertEqual([], theatre.after(100))
        theatre.player.start()
        self.assertEqual([0], theatre.seen)
        theatre.player.start()
        self.assertEqual([0], theatre.seen)

    def test_in_their_time(self) -> None:
        """The gaps are those of the recording."""
        theatre = self.playing([1e9, 1e9 + 1, 1e9 + 3.5, 1e9 + 4])
        self.assertEqual([], theatre.after(0.9))
        self.assertEqual([1], theatre.after(0.1))
        self.assertEqual([], theatre.after(2.4))
        self.assertEqual([2], theatre.after(0.1))
        self.assertEqual([3], theatre.after(0.5))

    def test_speed(self) -> None:
        """Twice as fast takes half the time, an eighth eight times as long."""
        self.assertEqual([1, 2], self.playing([0.0, 1.0, 2.0], 2.0).after(0.5, 0.5))
        theatre = self.playing([0.0, 1.0, 2.0], 1 / 8)
        self.assertEqual([], theatre.after(7.9))
        self.assertEqual([1], theatre.after(0.1))

    def test_no_drift(self) -> None:
        """A clock that is always a little late does not slow the recording down."""
        theatre = self.playing([float(n) for n in range(101)])
        theatre.after(*[0.03] * 3334)
        self.assertEqual(list(range(101)), theatre.seen)

    def test_late(self) -> None:
        """Of all that was due meanwhile, only the newest is seen."""
        theatre = self.playing([float(n) for n in range(20)])
        self.assertEqual([5], theatre.after(5.5))
        self.assertEqual([6], theatre.after(0.5))

    def test_faster_than_the_eye(self) -> None:
        """Not more than twenty are seen a second, and they keep in time."""
        theatre = self.playing([n / 100 for n in range(1001)])
        seen = theatre.after(*[0.01] * 500)
        self.assertLessEqual(len(seen), 100)
        self.assertGreaterEqual(len(seen), 80)
        self.assertLess(abs(seen[-1] - 500), 6)
        theatre.after(*[0.01] * 510)
        self.assertEqual(1000, theatre.seen[-1])

    def test_as_fast_as_the_eye(self) -> None:
        """Of twenty pictures a second each is seen."""
        theatre = self.playing([1.7e9 + n * FRAME for n in range(200)])
        theatre.after(*[FRAME] * 199)
        self.assertEqual(list(range(200)), theatre.seen)

    def test_a_gap_of_the_recording(self) -> None:
        """Where nothing was recorded for over ten seconds, one second is enough."""
        theatre = self.playing([0.0, 10.0, 20.1, 90000.0], 2.0)
        self.assertEqual([], theatre.after(4.9))
        self.assertEqual([1], theatre.after(0.1))
        self.assertEqual([2], theatre.after(0.5))
        self.assertEqual([3], theatre.after(0.5))

    def test_a_clock_put_back(self) -> None:
        """It is not known how long it took, so it takes a second."""
        theatre = self.playing([5000.0, 1000.0, 1002.0])
        self.assertEqual([], theatre.after(0.9))
        self.assertEqual([1], theatre.after(0.1))
        self.assertEqual([2], theatre.after(2.0))

    def test_at_the_same_time(self) -> None:
        """Of pictures of one moment the last is seen."""
        self.assertEqual([3], self.playing([1.0, 1.0, 1.0, 1.0]).after(1.0))

    def test_a_damaged_picture(self) -> None:
        """It is not seen, and the next one is in its time."""
        theatre = self.theatre([0.0, 1.0, 2.0])
        theatre.break_picture(1)
        theatre.player.start()
        self.assertEqual([], theatre.after(1.0))
        self.assertEqual((1, 3, 1.0), theatre.player.position)
        self.assertEqual([2], theatre.after(1.0))
        self.assertIn("damaged", theatre.recording.damage)

    def test_all_damaged(self) -> None:
        """Nothing is seen then, and it ends in its time."""
        theatre = self.theatre([0.0, 1.0])
        for index in (0, 1):
            theatre.break_picture(index)
        theatre.player.start()
        self.assertEqual(([], []), (theatre.seen, theatre.ends))
        theatre.after(1.0)
        self.assertEqual(([], [0]), (theatre.seen, theatre.ends))

    def test_position(self) -> None:
        """It is the picture seen last, of how many, and when it was taken."""
        theatre = self.theatre([7.0, 8.0])
        self.assertEqual((0, 2, 7.0), theatre.player.position)
        theatre.player.start()
        theatre.after(1.0)
        self.assertEqual((1, 2, 8.0), theatre.player.position)

    def test_stop(self) -> None:
        """Nothing is seen after it, and nothing waits; a start goes on from there."""
        theatre = self.playing([float(n) for n in range(9)])
        theatre.after(1.0)
        theatre.player.stop()
        self.assertEqual([], theatre.clock.getDelayedCalls())
        theatre.player.resume()
        theatre.player.faster()
        theatre.player.slower()
        theatre.player.jump(4.0)
        self.assertEqual([], theatre.after(100))
        theatre.player.start()
        self.assertEqual([4, 5], theatre.seen[2:] + theatre.after(1.0))

    def test_stopped_while_it_shows(self) -> None:
        """Whoever is shown a picture may end it all."""
        theatre = self.theatre([0.0, 1.0])
        theatre.player._show = lambda taken, line: theatre.player.stop()
        theatre.player.start()
        self.assertEqual([], theatre.clock.getDelayedCalls())
        self.assertEqual([], theatre.ends)

    def test_a_failing_viewer(self) -> None:
        """What goes wrong in showing a picture does not keep the next from coming."""
        theatre = self.theatre([0.0, 1.0])

        def fail(taken: float, line: bytes) -> None:
            theatre.player._show = theatre.show
            raise ZeroDivisionError

        theatre.player._show = fail
        self.assertRaises(ZeroDivisionError, theatre.player.start)
        self.assertEqual([1], theatre.after(1.0))

    def test_a_slow_viewer(self) -> None:
        """The time that it takes to show a picture is part of the gap to the next."""
        theatre = self.theatre([float(n) for n in range(9)])

        def show(taken: float, line: bytes) -> None:
            theatre.show(taken, line)
            theatre.clock.rightNow += 0.4

        theatre.player._show = show
        theatre.player.start()
        self.assertEqual([], theatre.after(0.5))
        self.assertEqual([1], theatre.after(0.1))
        self.assertEqual([2], theatre.after(0.6))

    def test_impossible_speeds(self) -> None:
        """Whoever takes a speed from a user has to look at it first."""
        for speed in (0.0, -1.0, float("inf"), float("nan")):
            self.assertRaises(OutOfTurn, self.theatre, [1.0], speed)

    def test_extreme_speeds(self) -> None:
        """No speed above 0 is more than the reactor or the arithmetic can bear."""
        self.assertEqual([2], self.playing([0.0, 5.0, 9.0], 1e308).after(FRAME))
        theatre = self.playing([0.0, 5.0, 9.0], 5e-324)
        self.assertEqual([], theatre.after(*[3600] * 50))
        (call,) = theatre.clock.getDelayedCalls()
        self.assertLessEqual(call.getTime() - theatre.clock.seconds(), 3600)


class EndTests(PlayerTestCase):
    """The end is told, and is not final."""

    def test_told_once(self) -> None:
        """After the last picture was seen, and never again while nothing changes."""
        theatre = self.playing([0.0, 1.0])
        self.assertEqual([], theatre.ends)
        theatre.after(1.0)
        self.assertEqual([2], theatre.ends)
        theatre.after(100)
        theatre.player.resume()
        theatre.player.faster()
        theatre.player.pause()
        theatre.player.resume()
        self.assertEqual(([0, 1], [2]), (theatre.seen, theatre.ends))
        self.assertEqual([], theatre.clock.getDelayedCalls())

    def test_nothing_recorded(self) -> None:
        """Then it is over at once, and nothing that one may ask for does harm."""
        theatre = self.playing([])
        self.assertEqual([0], theatre.ends)
        theatre.player.jump(5.0)
        theatre.player.skip(1.0)
        theatre.player.skip(-1.0)
        theatre.player.step(1)
        theatre.player.step(-1)
        self.assertEqual((0, 0, 0.0), theatre.player.position)
        self.assertEqual([], theatre.seen)

    def test_a_single_picture(self) -> None:
        """It is seen, and that is that."""
        theatre = self.playing([3.0])
        self.assertEqual(([0], [1]), (theatre.seen, theatre.ends))

    def test_playing_goes_on_after_a_jump_back(self) -> None:
        """And the end is told again when it comes again."""
        theatre = self.playing([0.0, 1.0, 2.0])
        theatre.after(1.0, 1.0, 50.0)
        theatre.player.jump(1.0)
        self.assertEqual([2], theatre.after(1.0))
        self.assertEqual(([0, 1, 2, 1, 2], [3, 5]), (theatre.seen, theatre.ends))

    def test_a_step_back_from_the_end(self) -> None:
        """It pauses there, and plays to the end when told to."""
        theatre = self.playing([0.0, 1.0, 2.0])
        theatre.after(1.0, 1.0)
        theatre.player.step(-1)
        self.assertEqual([], theatre.after(50.0))
        theatre.player.resume()
        self.assertEqual([2], theatre.after(1.0))
        self.assertEqual([3, 5], theatre.ends)

    def test_still_recording(self) -> None:
        """What was recorded by the time the end comes is played as well."""
        theatre = self.playing([0.0, 1.0])
        theatre.add([2.0])
        theatre.after(1.0)
        self.assertEqual([], theatre.ends)
        self.assertEqual([2], theatre.after(1.0))
        self.assertEqual([3], theatre.ends)

    def test_recorded_after_the_end(self) -> None:
        """``resume`` plays it from where it was, a step or a jump goes there."""
        theatre = self.playing([0.0])
        theatre.after(50.0)
        theatre.add([1.0, 2.0])
        theatre.player.resume()
        self.assertEqual([1, 2], theatre.after(1.0, 1.0))
        self.assertEqual([1, 3], theatre.ends)
        theatre.add([3.0])
        theatre.player.step(1)
        theatre.add([4.0])
        theatre.player.jump(4.0)
        theatre.add([5.0])
        theatre.player.skip(1.0)
        self.assertEqual([3, 4, 5], theatre.seen[3:])

    def test_recorded_long_after_the_end(self) -> None:
        """The time between does not count: it is not hurried through."""
        theatre = self.playing([0.0, 1.0])
        theatre.after(500.0)
        theatre.add([2.0, 3.0, 4.0])
        theatre.after(500.0)
        theatre.player.resume()
        self.assertEqual([], theatre.after(0.9))
        self.assertEqual([2], theatre.after(0.1))

    def test_told_again(self) -> None:
        """Whoever goes away from the end and comes back is told once more."""
        theatre = self.playing([0.0, 1.0])
        theatre.after(1.0)
        theatre.player.step(-1)
        theatre.player.step(1)
        theatre.player.resume()
        self.assertEqual([2, 4], theatre.ends)

    def test_played_in_a_loop(self) -> None:
        """Whoever is told of the end may begin anew then and there."""
        theatre = self.theatre([0.0, 1.0])
        theatre.player._ended = lambda: theatre.player.jump(0.0)
        theatre.player.start()
        self.assertEqual([1, 0, 1, 0, 1, 0], theatre.after(1.0, 1.0, 1.0))


class PausingTests(PlayerTestCase):
    """Pause, resume and single steps."""

    def test_pause(self) -> None:
        """Nothing moves, and afterwards only the rest of the gap is waited for."""
        theatre = self.playing([0.0, 4.0, 5.0])
        theatre.after(3.0)
        theatre.player.pause()
        self.assertTrue(theatre.player.paused)
        self.assertEqual([], theatre.clock.getDelayedCalls())
        self.assertEqual([], theatre.after(500))
        theatre.player.pause()
        theatre.player.resume()
        self.assertFalse(theatre.player.paused)
        self.assertEqual([], theatre.after(0.9))
        self.assertEqual([1], theatre.after(0.1))

    def test_resume_while_playing(self) -> None:
        """It changes nothing."""
        theatre = self.playing([0.0, 4.0])
        theatre.after(3.0)
        theatre.player.resume()
        self.assertEqual(1, len(theatre.clock.getDelayedCalls()))
        self.assertEqual([1], theatre.after(1.0))

    def test_paused_from_the_start(self) -> None:
        """The first picture is seen, and it stays."""
        theatre = self.theatre([0.0, 1.0])
        theatre.player.pause()
        theatre.player.start()
        self.assertEqual([], theatre.after(50))
        theatre.player.resume()
        self.assertEqual([1], theatre.after(1.0))
        self.assertEqual([0, 1], theatre.seen)

    def test_steps(self) -> None:
        """Forwards and backwards, no further than there are pictures."""
        theatre = self.playing([float(n) for n in range(5)])
        for count, index in ((1, 1), (2, 3), (-1, 2), (99, 4), (1, 4), (-99, 0)):
            theatre.player.step(count)
            self.assertEqual(index, theatre.player.position[0])
            self.assertEqual(index, theatre.seen[-1])
        self.assertTrue(theatre.player.paused)
        self.assertEqual(([], []), (theatre.after(500), theatre.ends))

    def test_playing_after_a_step(self) -> None:
        """The whole gap follows."""
        theatre = self.playing([0.0, 2.0, 4.0])
        theatre.after(1.0)
        theatre.player.step(1)
        theatre.player.resume()
        self.assertEqual([], theatre.after(1.9))
        self.assertEqual([2], theatre.after(0.1))

    def test_the_end_while_paused(self) -> None:
        """It is told when playing comes there, not when a step does."""
        theatre = self.playing([0.0, 1.0])
        theatre.player.step(1)
        self.assertEqual([], theatre.ends)
        theatre.player.resume()
        self.assertEqual([2], theatre.ends)

    def test_a_step_on_a_damaged_picture(self) -> None:
        """It is not seen; the next step leads on."""
        theatre = self.playing([0.0, 1.0, 2.0])
        theatre.break_picture(1)
        theatre.player.step(1)
        self.assertEqual(1, theatre.player.position[0])
        theatre.player.step(1)
        self.assertEqual([0, 2], theatre.seen)


class JumpTests(PlayerTestCase):
    """To a time, or by some."""

    def test_jump(self) -> None:
        """The picture at or before is seen at once, and playing goes on from it."""
        theatre = self.playing([0.0, 2.0, 4.0, 6.0])
        for when, index in ((4.5, 2), (2.0, 1), (-5.0, 0), (4.0, 2)):
            theatre.player.jump(when)
            self.assertEqual(index, theatre.seen[-1])
        self.assertEqual([], theatre.after(1.9))
        self.assertEqual([3], theatre.after(0.1))

    def test_jump_beyond_the_end(self) -> None:
        """The last picture is seen, and it is the end."""
        theatre = self.playing([0.0, 1.0, 2.0])
        theatre.player.jump(99.0)
        self.assertEqual(([0, 2], [2]), (theatre.seen, theatre.ends))

    def test_jump_while_paused(self) -> None:
        """It stays paused."""
        theatre = self.playing([0.0, 1.0, 2.0])
        theatre.player.pause()
        theatre.player.jump(1.0)
        self.assertEqual([0, 1], theatre.seen)
        self.assertEqual([], theatre.after(50))

    def test_jump_before_the_start(self) -> None:
        """Then the start is there."""
        theatre = self.theatre([0.0, 1.0, 2.0])
        theatre.player.jump(1.0)
        self.assertEqual([], theatre.seen)
        theatre.player.start()
        self.assertEqual([1], theatre.seen)

    def test_skip(self) -> None:
        """By seconds of the recording, both ways."""
        theatre = self.playing([float(n) for n in range(0, 100, 2)])
        for seconds, index in ((10, 5), (5, 7), (-4, 5), (-999, 0), (999, 49)):
            theatre.player.skip(seconds)
            self.assertEqual(index, theatre.seen[-1])
        before = list(theatre.seen)
        theatre.player.skip(0)
        self.assertEqual(before, theatre.seen)

    def test_skip_out_of_a_gap(self) -> None:
        """Where no picture is so near, the next one is as good."""
        theatre = self.playing([0.0, 100.0, 200.0])
        for seconds, index in ((5, 1), (5, 2), (-5, 1), (-5, 0), (-5, 0)):
            theatre.player.skip(seconds)
            self.assertEqual(index, theatre.seen[-1])

    def test_skip_where_the_clock_went_back(self) -> None:
        """Forwards is forwards in the file."""
        theatre = self.playing([10.0, 11.0, 5.0, 6.0, 12.0, 13.0, 14.0])
        theatre.player.pause()
        for index, seconds, there in (
            (3, 0.5, 4),
            (3, 2.5, 5),
            (3, -1, 0),
            (2, -0.5, 0),
        ):
            theatre.player.jump(0.0)
            theatre.player.step(index)
            theatre.player.skip(seconds)
            self.assertEqual(there, theatre.seen[-1])

    def test_skip_by_nothing_at_the_end(self) -> None:
        """It does not find out about more, either: nobody would play that then."""
        theatre = self.playing([1000.0])
        theatre.add([1001.0])
        theatre.player.skip(0.0)
        self.assertEqual(1, theatre.player.position[1])
        theatre.player.resume()
        self.assertEqual(2, theatre.player.position[1])
        self.assertEqual([1], theatre.after(1.0))

    def test_skip_by_next_to_nothing(self) -> None:
        """Even what is lost among the digits of a unix time leads one on, or back."""
        theatre = self.playing([1.7e9, 1.7e9, 1.7e9])
        for seconds, index in ((1e-9, 2), (-1e-9, 1), (-1e-9, 0)):
            theatre.player.skip(seconds)
            self.assertEqual(index, theatre.seen[-1])


class SpeedTests(PlayerTestCase):
    """The speed changes while it plays."""

    def test_doubling(self) -> None:
        """From an eighth to sixty-four times, and no further."""
        player = self.theatre([]).player
        speeds = []
        for change in [player.faster] * 8 + [player.slower] * 11:
            change()
            speeds.append(player.speed)
        self.assertEqual([2, 4, 8, 16, 32, 64, 64, 64], speeds[:8])
        self.assertEqual(
            [32, 16, 8, 4, 2, 1, 0.5, 0.25, 0.125, 0.125, 0.125], speeds[8:]
        )
        self.assertEqual((0.125, 64), (SLOWEST, FASTEST))

    def test_any_given_speed(self) -> None:
        """It is doubled and halved, and kept where it is beyond the bounds."""
        player = self.theatre([], 3.0).player
        player.faster()
        self.assertEqual(6.0, player.speed)
        for beyond, change in ((100.0, Player.faster), (0.01, Player.slower)):
            player = self.theatre([], beyond).player
            change(player)
            self.assertEqual(beyond, player.speed)

    def test_within_a_gap(self) -> None:
        """What has passed of a gap has passed; the rest goes at the new speed."""
        theatre = self.playing([0.0, 8.0, 9.0])
        theatre.after(4.0)
        theatre.player.faster()
        self.assertEqual([], theatre.after(1.9))
        self.assertEqual([1], theatre.after(0.1))
        self.assertEqual([2], theatre.after(0.5))

    def test_while_paused(self) -> None:
        """It stays paused, and what passed before counts as it was."""
        theatre = self.playing([0.0, 8.0])
        theatre.after(4.0)
        theatre.player.pause()
        theatre.player.slower()
        self.assertEqual([], theatre.after(100.0))
        theatre.player.resume()
        self.assertEqual([], theatre.after(7.9))
        self.assertEqual([1], theatre.after(0.1))


class Walk(RuleBasedStateMachine):
    """Everything that can be asked of a player, in any order."""

    #: Makes paths; set by the test.
    path = staticmethod(str)

    @initialize(
        gaps=st.lists(st.sampled_from([0.0, 0.01, 0.05, 1.0, 3.0, 11.0, -5.0])),
        speed=st.sampled_from([0.125, 1.0, 3.0, 64.0]),
    )
    def begin(self, gaps: list[float], speed: float) -> None:
        """Record something."""
        self.times = [1000.0]
        for gap in gaps:
            self.times.append(self.times[-1] + gap)
        self.theatre = Theatre(self.path(), self.times, speed)
        self.shown = 0

    @rule(
        change=st.sampled_from(
            ["start", "stop", "pause", "resume", "faster", "slower"],
        )
    )
    def change(self, change: str) -> None:
        """Ask for something that needs no argument."""
        getattr(self.theatre.player, change)()

    @rule(count=st.integers(-3, 3))
    def step(self, count: int) -> None:
        """Step."""
        before = self.theatre.player.position[0]
        self.theatre.player.step(count)
        expected = max(0, min(before + count, len(self.times) - 1))
        assert self.theatre.player.position[0] == expected
        assert self.theatre.player.paused

    @rule(seconds=st.sampled_from([-9.0, -0.5, 0.0, 0.5, 9.0]))
    def skip(self, seconds: float) -> None:
        """Skip."""
        before = self.theatre.player.position[0]
        self.theatre.player.skip(seconds)
        if self.theatre.player.paused:
            after = self.theatre.player.position[0]
            assert (after - before) * seconds >= 0

    @rule(when=st.floats(990.0, 1050.0))
    def jump(self, when: float) -> None:
        """Jump."""
        self.theatre.player.jump(when)

    @rule(gap=st.sampled_from([0.0, 2.0, -2.0]))
    def add(self, gap: float) -> None:
        """Record one more picture."""
        self.times.append(self.times[-1] + gap)
        self.theatre.add(self.times[-1:])

    @rule(seconds=st.sampled_from([0.01, 0.05, 0.3, 1.0, 20.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass: pictures come in order, and at most twenty a second."""
        playing = bool(self.theatre.clock.getDelayedCalls())
        seen = self.theatre.after(*[0.01] * round(seconds * 100))
        assert seen == sorted(set(seen))
        assert len(seen) <= seconds / FRAME + 1
        assert playing or not seen

    @invariant()
    def one_call_or_none(self) -> None:
        """Something waits exactly when it plays and there is more to come."""
        player = self.theatre.player
        waiting = len(self.theatre.clock.getDelayedCalls())
        assert waiting <= 1
        if player.paused or not player._started:
            assert not waiting
        elif not player._is_last():
            assert waiting

    @invariant()
    def what_is_seen_is_the_position(self) -> None:
        """The picture seen last is the one at the position, if any was seen since."""
        theatre = self.theatre
        if len(theatre.seen) > self.shown:
            self.shown = len(theatre.seen)
            assert theatre.seen[-1] == theatre.player.position[0]

    def teardown(self) -> None:
        """Nothing is left."""
        if hasattr(self, "theatre"):
            self.theatre.close()


class WalkTests(SynchronousTestCase):
    """Any walk through a recording."""

    def test_walks(self) -> None:
        """No order of requests and of time leads astray."""
        walk = type("Walk", (Walk,), {"path": staticmethod(self.mktemp)})
        run_state_machine_as_test(
            walk,
            settings=settings(
                deadline=None, max_examples=50, stateful_step_count=25, database=None
            ),
        )


class MomentTests(SynchronousTestCase):
    """What a viewer writes is the moment that is meant."""

    def setUp(self) -> None:
        """Be where clocks are put forward and back."""
        before = os.environ.get("TZ")
        self.addCleanup(self.zone, before)
        self.zone("CET-1CEST,M3.5.0,M10.5.0/3")
        self.start = self.unix("2026-11-26 13:30:00")
        self.end = self.unix("2026-11-28 15:00:00")

    def zone(self, name: str | None) -> None:
        """Be in a time zone."""
        os.environ.pop("TZ", None)
        if name is not None:
            os.environ["TZ"] = name
        time.tzset()

    def unix(self, text: str) -> float:
        """The unix time of a local date and time."""
        return datetime.fromisoformat(text).timestamp()

    def meant(self, text: str) -> str:
        """The moment meant, as a local date and time."""
        found = moment(text, self.start, self.end)
        return str(datetime.fromtimestamp(found))

    def test_time_of_day(self) -> None:
        """The first such one within the recording."""
        for text, expected in (
            ("14:02", "2026-11-26 14:02:00"),
            ("14:02:31", "2026-11-26 14:02:31"),
            ("13:30", "2026-11-26 13:30:00"),
            ("13:29:59", "2026-11-27 13:29:59"),
            ("9:05", "2026-11-27 09:05:00"),
            (" 00:00 ", "2026-11-27 00:00:00"),
        ):
            self.assertEqual(expected, self.meant(text), text)

    def test_time_of_day_outside(self) -> None:
        """Where there is none, it is the one on the first day."""
        self.end = self.unix("2026-11-26 14:00:00")
        for text in ("09:00:00", "13:29:59", "14:00:01", "23:59:00"):
            self.assertEqual(f"2026-11-26 {text}", self.meant(text))

    def test_date(self) -> None:
        """Any date, within the recording or not; the seconds are optional."""
        for text, expected in (
            ("2026-11-26 14:02:31", "2026-11-26 14:02:31"),
            ("2026-11-28 14:02", "2026-11-28 14:02:00"),
            ("2026-11-28T14:02", "2026-11-28 14:02:00"),
            ("1999-1-2   3:04", "1999-01-02 03:04:00"),
        ):
            self.assertEqual(expected, self.meant(text), text)

    def test_relative(self) -> None:
        """Plus is from the start, minus from the end."""
        for text, expected in (
            ("+90s", self.start + 90),
            ("-5m", self.end - 300),
            ("+1.5h", self.start + 5400),
            ("-1d", self.end - 86400),
            ("+0s", self.start),
            ("-0s", self.end),
        ):
            self.assertEqual(expected, moment(text, self.start, self.end), text)

    def test_unix(self) -> None:
        """A number alone is unix seconds."""
        for text, expected in (
            ("1764165751", 1764165751.0),
            ("1764165751.25", 1764165751.25),
        ):
            self.assertEqual(expected, moment(text, self.start, self.end))

    def test_daylight_saving(self) -> None:
        """A time that comes twice is the first one within the recording."""
        first = datetime(2026, 10, 25, 2, 30).timestamp()
        second = first + 3600
        for start, expected in ((first - 60, first), (first + 60, second)):
            self.assertEqual(expected, moment("02:30", start, start + 7200))
        spring = datetime(2026, 3, 29, 0, 0).timestamp()
        there_is_none = moment("02:30", spring, spring + 86400)
        self.assertTrue(spring <= there_is_none <= spring + 86400)
        self.assertEqual("2026-11-26 14:02:00", self.meant("14:02"))

    def test_nonsense(self) -> None:
        """It is quoted, and what was expected is told with examples."""
        for text in (
            "",
            "now",
            "14:2",
            "24:00",
            "14:60",
            "14:02:60",
            "14:02:31:1",
            "2026-02-30 14:02",
            "2026-13-01 14:02",
            "0000-01-01 00:00",
            "2026-11-26",
            "26.11.2026 14:02",
            "+90",
            "+s",
            "-5w",
            "+-5s",
            "1e9",
            "nan",
            "inf",
            "-inf",
            "٣٤:٠٢",
            "9" * 400,
            "14:02\x1b[31m",
        ):
            error = self.assertRaises(QueryError, moment, text, self.start, self.end)
            self.assertIn("is no moment, expected a time of day", str(error))
            for example in ("14:02", "14:02:31", "2026-11-26 14:02:31", "+90s", "-5m"):
                self.assertIn(example, str(error))
            self.assertTrue(str(error).isprintable())
            self.assertLess(len(str(error)), 300)

    def test_an_impossible_recording(self) -> None:
        """Where the clock was so wrong that it has no days, none is meant."""
        for start in (1e300, -1e300, 1e14, -1e14):
            self.assertRaises(QueryError, moment, "14:02", start, start)

    @QUICK
    @given(
        st.one_of(
            st.text(max_size=20),
            st.text("0123456789:-+ Tsmhd.", max_size=20),
            st.from_regex(
                r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}", fullmatch=True
            ),
        ),
        st.floats(allow_nan=False, allow_infinity=False),
        st.floats(allow_nan=False, allow_infinity=False),
    )
    def test_anything(self, text: str, start: float, end: float) -> None:
        """Whatever is written, of any recording: a time, or an error in words."""
        try:
            self.assertIsInstance(moment(text, start, end), float)
        except QueryError as error:
            self.assertIn("is no moment", str(error))
