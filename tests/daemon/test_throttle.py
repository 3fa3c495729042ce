"""Tests of the throttle: little is said, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.daemon import throttle
from connmon.daemon.throttle import (
    FEW,
    PAUSE_SECONDS,
    WINDOW_SECONDS,
    Event,
    Kind,
    Place,
    Throttle,
    counted,
)
from connmon.model.journal import CRIT, WARN, Journal, Remark

LOST = Kind(WARN, lambda n: f"{n} lost", lambda n, programs: f"{n} lost in {programs}")
SEEN = Kind(CRIT, lambda n: f"{n} seen", lambda n, programs: f"{n} seen in {programs}")


def lost(when: float, *, program: str = "api", host: str = "h", pid: int = 1) -> Event:
    """One thing was lost."""
    return Event(LOST, Place(host, program), pid, "1 lost", when)


def at(site: str, when: float = 0.0, program: str = "api") -> Event:
    """One thing was lost at a line."""
    return replace(lost(when, program=program), sites=((site, 1),))


class ThrottleTests(SynchronousTestCase):
    """One throttle that writes into one journal."""

    def setUp(self) -> None:
        """Nothing happened."""
        self.journal = Journal("A", "a1")
        self.throttle = Throttle(self.journal)
        self.now = 0.0

    def take(self, *events: Event) -> None:
        """These happen when they say."""
        for each in events:
            self.runs(each.when)
            self.throttle.take(each, each.when)

    def runs(self, until: float) -> None:
        """Let time pass, with a tick each second."""
        while self.now + 1.0 <= until:
            self.now += 1.0
            self.throttle.tick(self.now)

    def said(self) -> list[Remark]:
        """What was written, in that order."""
        return self.journal.beyond({}, self.now)

    def texts(self) -> list[str]:
        """What was written, in that order."""
        return [each.text for each in self.said()]

    def test_an_event_is_written_at_once(self) -> None:
        """With all that it says, and as old as it is."""
        event = Event(SEEN, Place("h", "api"), 7, "1 seen", 3.0)
        self.throttle.take(event, 5.0)
        expected = Remark("a1", 1, "A", 2.0, "1 seen", CRIT, "h", "api", 7)
        self.assertEqual([expected], self.journal.newest(5.0))

    def test_one_a_minute_of_each_program(self) -> None:
        """What comes meanwhile is summed, and said when the minute is over."""
        self.take(lost(0.0), lost(14.0), lost(20.5), lost(59.0))
        self.assertEqual(["1 lost"], self.texts())
        self.runs(PAUSE_SECONDS)
        self.assertEqual(["1 lost", "3 lost within 45 s"], self.texts())
        self.assertEqual(1.0, self.said()[-1].age)
        self.assertEqual(1, self.said()[-1].pid)
        # That starts the next minute.
        self.take(lost(61.0))
        self.runs(2 * PAUSE_SECONDS - 1.0)
        self.assertEqual(2, len(self.texts()))
        self.runs(2 * PAUSE_SECONDS)
        self.assertEqual(3, len(self.texts()))

    def test_a_single_one_held_back_is_said_as_it_was(self) -> None:
        """It is older than its writing."""
        self.take(lost(0.0), lost(14.0, pid=2))
        self.runs(PAUSE_SECONDS)
        last = self.said()[-1]
        self.assertEqual(("1 lost", 46.0, 2), (last.text, last.age, last.pid))

    def test_several_processes_are_none(self) -> None:
        """A sum over more than one names no pid."""
        self.take(lost(0.0), lost(1.0, pid=2), lost(2.0, pid=3))
        self.runs(PAUSE_SECONDS)
        self.assertEqual([1, None], [each.pid for each in self.said()])

    def test_after_a_quiet_minute_nothing_is_held(self) -> None:
        """Nor is anything said that did not happen."""
        self.take(lost(0.0), lost(60.0), lost(300.0))
        self.runs(600.0)
        self.assertEqual(["1 lost"] * 3, self.texts())

    def test_what_is_late_does_not_overtake_what_is_held(self) -> None:
        """Also if no tick came in between: it is summed with that."""
        for when in (0.0, 1.0, 61.0):
            self.throttle.take(lost(when), when)
        self.assertEqual(["1 lost"], self.texts())
        self.throttle.tick(61.5)
        self.assertEqual(["1 lost", "2 lost within 60 s"], self.texts())

    def test_a_minute_may_end_unseen(self) -> None:
        """Whoever is told of again goes to the end of the line, past who waits."""
        self.throttle.take(lost(0.0), 0.0)
        for when in (1.0, 2.0):
            self.throttle.take(lost(when, program="etl"), when)
        self.throttle.take(lost(60.5), 60.5)
        self.throttle.tick(61.5)
        programs = [each.progname for each in self.said()]
        self.assertEqual(["api", "etl", "api", "etl"], programs)

    def test_programs_hosts_and_kinds_do_not_wait_for_one_another(self) -> None:
        """Each has a minute of its own."""
        self.take(
            lost(0.0),
            lost(0.0, program="etl"),
            lost(0.0, host="i"),
            Event(SEEN, Place("h", "api"), 1, "1 seen", 0.0),
        )
        self.assertEqual(4, len(self.texts()))

    def test_many_at_once_are_a_sum(self) -> None:
        """The first few are said; of the others how many, and in how many programs."""
        self.take(*(lost(0.0, program=f"p{n}", host=f"h{n % 3}") for n in range(50)))
        self.assertEqual(["1 lost"] * FEW, self.texts())
        self.runs(WINDOW_SECONDS)
        last = self.said()[FEW:]
        (remark,) = last
        self.assertEqual("30 lost in 30 more programs on 3 hosts", remark.text)
        self.assertEqual((WARN, "", "", None), (remark.severity, *about(remark)))
        # Then there is room again.
        self.take(lost(10.0, program="late"))
        self.assertEqual("1 lost", self.texts()[-1])

    def test_many_within_ten_seconds_are_a_sum(self) -> None:
        """They need not come at once."""
        for when in (0.0, 5.0):
            self.take(*(lost(when, program=f"p{when}{n}") for n in range(15)))
        self.runs(WINDOW_SECONDS)
        self.assertEqual(FEW + 1, len(self.texts()))
        self.assertEqual("10 lost in 10 more programs on 1 host", self.texts()[-1])

    def test_a_sum_of_one_host_is_about_it(self) -> None:
        """Whoever looks for the host finds it."""
        self.take(*(lost(0.0, program=f"p{n}") for n in range(FEW + 2)))
        self.runs(WINDOW_SECONDS)
        remark = self.said()[-1]
        self.assertEqual("2 lost in 2 more programs on 1 host", remark.text)
        self.assertEqual(("h", "", None), about(remark))

    def test_one_too_many_is_said_by_itself(self) -> None:
        """A sum of one would say less."""
        self.take(*(lost(0.0, program=f"p{n}") for n in range(FEW + 1)))
        self.runs(WINDOW_SECONDS)
        remark = self.said()[-1]
        self.assertEqual(("1 lost", WINDOW_SECONDS), (remark.text, remark.age))
        self.assertEqual(("h", f"p{FEW}", 1), about(remark))

    def test_what_is_to_be_gathered_is_never_said_by_itself(self) -> None:
        """Unless it was the only one."""
        for number in range(3):
            self.throttle.take(lost(0.0, program=f"p{number}"), 0.0, gathered=True)
        self.throttle.take(
            Event(SEEN, Place("h", "api"), 1, "1 seen", 0.0), 0.0, gathered=True
        )
        self.assertEqual([], self.texts())
        self.runs(WINDOW_SECONDS)
        self.assertEqual(["3 lost in 3 programs on 1 host", "1 seen"], self.texts())

    def test_kinds_do_not_crowd_each_other_out(self) -> None:
        """Each has a window of its own."""
        self.take(*(lost(0.0, program=f"p{n}") for n in range(FEW + 5)))
        self.take(Event(SEEN, Place("h", "api"), 1, "1 seen", 0.0))
        self.assertEqual("1 seen", self.texts()[-1])

    def test_what_was_held_back_may_be_too_much_too(self) -> None:
        """A thousand programs that are told again are a sum again."""
        self.take(*(lost(0.0, program=f"p{n}") for n in range(1000)))
        self.take(*(lost(1.0, program=f"p{n}") for n in range(1000)))
        self.runs(PAUSE_SECONDS + WINDOW_SECONDS)
        self.assertEqual(2 * (FEW + 1), len(self.texts()))
        self.assertEqual(
            "980 lost in 980 more programs on 1 host", self.said()[-1].text
        )

    def test_sums_name_the_lines(self) -> None:
        """Those of one program, and those of many; one that is alone says its own."""
        for number, program in enumerate(["api", "api", "api", "etl", "etl"]):
            self.take(at(f"a.py:{number % 2}", program=program))
        self.runs(PAUSE_SECONDS)
        self.assertEqual(
            [
                "1 lost",
                "1 lost",
                "2 lost within 1 s; 1 at a.py:1, 1 at a.py:0",
                "1 lost",
            ],
            self.texts(),
        )
        self.take(*(at("b.py:1", 60.0, f"p{number}") for number in range(FEW + 1)))
        self.take(at("b.py:2", 60.0, "q"))
        self.runs(PAUSE_SECONDS + WINDOW_SECONDS)
        self.assertEqual(
            "4 lost in 4 more programs on 1 host; 3 at b.py:1, 1 at b.py:2",
            self.texts()[-1],
        )

    def test_a_sum_of_sums_names_the_lines(self) -> None:
        """What was held back of a program may have to be said with others'."""
        programs = [f"p{number}" for number in range(FEW + 2)]
        self.take(*(at("a.py:1", 0.0, each) for each in programs))
        for _ in range(2):
            self.take(*(at("a.py:1", 20.0, each) for each in programs))
        self.runs(PAUSE_SECONDS + WINDOW_SECONDS)
        self.assertEqual(
            "4 lost in 2 more programs on 1 host; all at a.py:1", self.texts()[-1]
        )

    def test_its_memory_is_bounded(self) -> None:
        """Whose turn is longest ago is forgotten; what is held of it is said."""
        self.patch(throttle, "MOST_PLACES", 3)
        self.take(lost(0.0, program="p0"), lost(0.0, program="p0"))
        self.take(*(lost(0.0, program=f"p{n}") for n in range(1, 4)))
        self.assertEqual(["1 lost"] * 5, self.texts())
        programs = [each.progname for each in self.said()]
        self.assertEqual(["p0", "p1", "p2", "p0", "p3"], programs)
        self.assertEqual(3, len(self.throttle._told))
        self.take(*(lost(0.0, program=f"p{n}") for n in range(4, 99)))
        for window in self.throttle._windows.values():
            assert window.rest is not None
            self.assertEqual(3, len(window.rest.places))

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([LOST, SEEN]),
                st.sampled_from("ab"),
                st.integers(0, 30),
                st.integers(1, 5),
                st.sampled_from([0.0, 0.0, 0.0, 1.0, 7.5, 40.0]),
                st.booleans(),
            ),
            max_size=80,
        )
    )
    def test_nothing_is_lost_and_little_is_said(
        self, steps: list[tuple[Kind, str, int, int, float, bool]]
    ) -> None:
        """Amounts add up, and neither a program nor a kind is told of too often."""
        self.setUp()
        now, total = 0.0, 0
        for kind, host, number, amount, pause, gathered in steps:
            now += pause
            self.runs(now)
            place = Place(host, f"p{number}")
            event = Event(kind, place, number, kind.again(amount), now, amount)
            self.throttle.take(event, now, gathered=gathered)
            total += amount
        self.runs(now + 200.0)
        said = self.said()
        self.assertEqual(total, sum(int(each.text.split()[0]) for each in said))
        self.assertEqual({}, self.throttle._told)
        windows = 1 + (now + 200.0) / WINDOW_SECONDS
        self.assertLessEqual(len(said), 2 * windows * (FEW + 1))

    def test_counting_in_words(self) -> None:
        """One is one."""
        self.assertEqual("1 host", counted(1, "host"))
        self.assertEqual("0 hosts", counted(0, "host"))
        self.assertEqual("2 hosts", counted(2, "host"))


def about(remark: Remark) -> tuple[str, str, int | None]:
    """Whom a remark is about."""
    return remark.hostname, remark.progname, remark.pid
