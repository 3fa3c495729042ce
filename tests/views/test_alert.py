"""What is worth a warning, what is worse, and how that is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.views.alert import (
    BUSY,
    CRIT,
    IDLE_IN_TXN,
    LEAKING,
    OK,
    RANKS,
    STATES,
    STUCK,
    UNREACHABLE,
    WARN,
    WELL,
    Signs,
    alert,
    headline,
    level,
    reason,
    state,
    weight,
)

CASES = (
    (Signs(), OK, ""),
    (Signs(used=0.0, waiting=0, timeouts_per_minute=0.0), OK, ""),
    (Signs(oldest_seconds=0.0, txn_seconds=0.0), OK, ""),
    # How full pools are.
    (Signs(used=0.79), OK, ""),
    (Signs(used=0.8), WARN, "pool 80 % used"),
    (Signs(used=14 / 15), WARN, "pool 93 % used"),
    (Signs(used=999 / 1000), WARN, "pool 99 % used"),
    (Signs(used=1.0, full=1), WARN, "pool full"),
    (Signs(used=1.0, full=3, of=8), WARN, "pool full in 3 of 8 pools"),
    (Signs(used=1.0, full=2, of=2), WARN, "pool full in 2 of 2 pools"),
    # For how long something lasts.
    (Signs(oldest_seconds=30.0), OK, ""),
    (Signs(oldest_seconds=30.5), WARN, "oldest checkout 30s"),
    (Signs(oldest_seconds=59.9), WARN, "oldest checkout 59s"),
    (Signs(oldest_seconds=60.0), WARN, "oldest checkout 1m00s"),
    (Signs(oldest_seconds=412.0), WARN, "oldest checkout 6m52s"),
    (Signs(oldest_seconds=7260.0), WARN, "oldest checkout 2h01m"),
    (Signs(oldest_seconds=273600.0), WARN, "oldest checkout 3d04h"),
    (Signs(txn_seconds=30.0), OK, ""),
    (Signs(txn_seconds=31.0), WARN, "transaction open 31s"),
    (
        Signs(txn_seconds=300.0, quiet_seconds=298.0),
        WARN,
        "idle in transaction 4m58s, transaction open 5m00s",
    ),
    # What nobody hears.
    (Signs(stale=1), WARN, "1 process not heard"),
    (Signs(stale=2), WARN, "2 processes not heard"),
    # Who waits, and who does no longer.
    (Signs(waiting=1), CRIT, "1 waiting"),
    (Signs(waiting=7, used=1.0, full=1), CRIT, "7 waiting, pool full"),
    (Signs(timeouts_per_minute=12.0), CRIT, "12 timeouts in the last minute"),
    (Signs(timeouts_per_minute=1.2), CRIT, "1 timeout in the last minute"),
    (Signs(timeouts_per_minute=0.1), CRIT, "1 timeout in the last minute"),
    # What a program should not do.
    (Signs(lost=1), WARN, "1 connection leaked"),
    (Signs(lost=3, leaked_seconds=9.0), WARN, "3 connections leaked"),
    (Signs(leaked_seconds=192.0), WARN, "connection leaked 3m12s ago"),
    (Signs(leaked_seconds=600.0), WARN, "connection leaked 10m00s ago"),
    (Signs(leaked_seconds=600.5), OK, ""),
    (Signs(quiet_seconds=30.0), OK, ""),
    (Signs(quiet_seconds=45.0), WARN, "idle in transaction 45s"),
    # Whether there is anything to connect to.
    (Signs(failing_seconds=0.0), CRIT, "connecting failed 0s ago"),
    (Signs(failing_seconds=60.0), CRIT, "connecting failed 1m00s ago"),
    (Signs(failing_seconds=60.5), OK, ""),
    # All at once, the worst first.
    (
        Signs(1.0, 3, 8, 7, 12.0, 38.2, 31.0, 1),
        CRIT,
        (
            "7 waiting, 12 timeouts in the last minute, pool full in 3 of 8 pools, "
            "oldest checkout 38s, transaction open 31s, 1 process not heard"
        ),
    ),
    (
        Signs(1.0, 1, 1, 7, None, 38.2, 33.0, 0, 9.0, 3.0, 1.0, 2, 32.0),
        CRIT,
        (
            "connecting failed 3s ago, 7 waiting, 2 connections leaked, idle in "
            "transaction 32s, pool full, oldest checkout 38s, transaction open 33s"
        ),
    ),
)

#: By precedence: each state with what alone leads to it, and what does not quite.
STATE_CASES = (
    (UNREACHABLE, Signs(failing_seconds=60.0), Signs(failing_seconds=60.1)),
    (STUCK, Signs(timeouts_per_minute=1.0), Signs(timeouts_per_minute=0.0)),
    (
        STUCK,
        Signs(used=1.0, full=1, waiting=1, still_seconds=5.0),
        Signs(used=0.9, still_seconds=9.0),
    ),
    (LEAKING, Signs(lost=1), Signs(lost=0)),
    (LEAKING, Signs(leaked_seconds=600.0), Signs(leaked_seconds=600.1)),
    (IDLE_IN_TXN, Signs(quiet_seconds=30.1), Signs(quiet_seconds=30.0)),
    (BUSY, Signs(used=1.0, full=1), Signs(used=0.99)),
    # Somebody waits, and connections do come back.
    (BUSY, Signs(used=1.0, full=1, waiting=9), Signs(waiting=0)),
    # Neither of these is stuck: nobody waits, or not for a pool that is full.
    (BUSY, Signs(used=1.0, full=1, still_seconds=9.0), Signs()),
    (BUSY, Signs(waiting=9, still_seconds=9.0), Signs()),
    (BUSY, Signs(used=1.0, full=1, waiting=9, still_seconds=4.9), Signs()),
)

AGES = st.none() | st.floats(0.0, 100.0)
SIGNS = st.builds(
    Signs,
    st.none() | st.floats(0.0, 1.0),
    st.just(0),
    st.integers(1, 9),
    st.none() | st.integers(0, 2),
    st.none() | st.floats(0.0, 2.0),
    AGES,
    AGES,
    st.integers(0, 2),
)

ALL_SIGNS = st.builds(
    Signs,
    used=st.none() | st.floats(0.0, 1.0),
    full=st.integers(0, 2),
    of=st.integers(1, 9),
    waiting=st.none() | st.integers(0, 2),
    timeouts_per_minute=st.none() | st.integers(0, 2).map(float),
    oldest_seconds=AGES,
    txn_seconds=AGES,
    stale=st.integers(0, 2),
    still_seconds=st.none() | st.floats(0.0, 9.0),
    failing_seconds=AGES,
    leaked_seconds=st.none() | st.floats(0.0, 900.0),
    lost=st.integers(0, 2),
    quiet_seconds=AGES,
)

#: What makes anything worse: of each sign, something that cannot be better.
WORSE: dict[str, Callable[[Signs], Any]] = {
    "full": lambda signs: signs.full + 1,
    "waiting": lambda signs: (signs.waiting or 0) + 1,
    "timeouts_per_minute": lambda signs: (signs.timeouts_per_minute or 0.0) + 1.0,
    "oldest_seconds": lambda signs: (signs.oldest_seconds or 0.0) + 20.0,
    "txn_seconds": lambda signs: (signs.txn_seconds or 0.0) + 20.0,
    "stale": lambda signs: signs.stale + 1,
    "still_seconds": lambda signs: (signs.still_seconds or 0.0) + 3.0,
    "failing_seconds": lambda signs: (signs.failing_seconds or 0.0) / 2,
    "leaked_seconds": lambda signs: (signs.leaked_seconds or 0.0) / 2,
    "lost": lambda signs: signs.lost + 1,
    "quiet_seconds": lambda signs: (signs.quiet_seconds or 0.0) + 20.0,
}
PLACES = {word: place for place, word in enumerate(STATES)}
LEVELS = (OK, WARN, CRIT)


class StateTests(SynchronousTestCase):
    """The word for a state."""

    def test_each_state(self) -> None:
        """What leads to it does, and what almost does is well."""
        for word, signs, almost in STATE_CASES:
            self.assertEqual(word, state(signs), signs)
            self.assertEqual(WELL, state(almost), almost)
        self.assertEqual(set(STATES), {WELL, *(word for word, *_ in STATE_CASES)})

    def test_precedence(self) -> None:
        """Of all that hold the one further in front is told."""
        alone: dict[str, dict[str, Any]] = {
            UNREACHABLE: {"failing_seconds": 1.0},
            STUCK: {"timeouts_per_minute": 1.0},
            LEAKING: {"lost": 1},
            IDLE_IN_TXN: {"quiet_seconds": 31.0},
            BUSY: {"used": 1.0, "full": 1},
            WELL: {"oldest_seconds": 99.0, "stale": 1},
        }
        self.assertEqual(list(STATES), list(alone))
        for count in range(1, len(alone) + 1):
            for words in combinations(alone, count):
                together = Signs(**{k: v for w in words for k, v in alone[w].items()})
                self.assertEqual(words[0], state(together), words)

    @given(ALL_SIGNS)
    def test_it_has_a_level_and_a_reason(self, signs: Signs) -> None:
        """The alert is as bad as the state at least; whatever is not well is said."""
        word = state(signs)
        alerted = LEVELS.index(alert(signs))
        self.assertGreaterEqual(alerted, LEVELS.index(STATES[word]))
        self.assertEqual(alert(signs) == OK, reason(signs, "pools") == "")
        name = "" if word == WELL else f" {word}"
        self.assertEqual(f"{name}: {reason(signs, 'pools')}", headline(signs, "pools"))

    @given(ALL_SIGNS, st.sampled_from(sorted(WORSE)))
    def test_nothing_worse_makes_it_better(self, signs: Signs, name: str) -> None:
        """Neither its state nor its alert, nor its place among others."""
        worse = replace(signs, **{name: WORSE[name](signs)})
        self.assertLessEqual(PLACES[state(worse)], PLACES[state(signs)])
        self.assertGreaterEqual(LEVELS.index(alert(worse)), LEVELS.index(alert(signs)))
        self.assertGreaterEqual(weight(worse), weight(signs))


class AlertTests(SynchronousTestCase):
    """One rule, for programs, hosts, processes, pools and connections."""

    def test_the_rule(self) -> None:
        """Each case has its level."""
        for signs, expected, _ in CASES:
            self.assertEqual(expected, alert(signs), signs)

    def test_the_words(self) -> None:
        """Each case is said in words."""
        for signs, _, expected in CASES:
            self.assertEqual(expected, reason(signs, "pools"), signs)

    def test_what_is_counted(self) -> None:
        """Of a program it is processes that have a full pool."""
        self.assertEqual(
            "pool full in 1 of 2 processes",
            reason(Signs(used=1.0, full=1, of=2), "processes"),
        )

    def test_shares_are_said_as_they_are(self) -> None:
        """No share that is whole per cent is said as one less; only a full pool is."""
        for of in range(1, 200):
            for used in range(of):
                share = used / of
                if share >= 0.8:
                    self.assertEqual(
                        f"pool {used * 100 // of} % used",
                        reason(Signs(used=share), "pools"),
                    )

    @given(SIGNS)
    def test_what_is_wrong_is_said(self, signs: Signs) -> None:
        """There are words if, and only if, it is not ok."""
        self.assertEqual(alert(signs) == OK, reason(signs, "pools") == "")

    @given(SIGNS)
    def test_the_short_way_is_the_same_rule(self, signs: Signs) -> None:
        """Where no signs were gathered the level is the same."""
        self.assertEqual(
            alert(signs),
            level(
                signs.used,
                signs.oldest_seconds,
                stale=signs.stale,
                txn_seconds=signs.txn_seconds,
                waiting=signs.waiting,
                timeouts_per_minute=signs.timeouts_per_minute,
            ),
        )

    def test_what_is_worse(self) -> None:
        """The level, the state, who waits, how full it is, and for how long."""
        ascending = (
            Signs(stale=9),
            Signs(oldest_seconds=31.0),
            Signs(oldest_seconds=99.0),
            Signs(used=0.8, oldest_seconds=40.0),
            Signs(used=0.9, oldest_seconds=0.0),
            Signs(used=1.0, full=1, oldest_seconds=99.0),
            Signs(used=1.0, full=2),
            Signs(quiet_seconds=31.0),
            Signs(leaked_seconds=9.0),
            Signs(lost=1, used=1.0, full=1),
            Signs(waiting=1, used=1.0, full=3),
            Signs(waiting=2),
            Signs(waiting=1, used=1.0, full=3, lost=1),
            Signs(timeouts_per_minute=1.0),
            Signs(waiting=2, used=1.0, full=1, still_seconds=5.0),
            Signs(failing_seconds=1.0),
        )
        self.assertEqual(list(ascending), sorted(set(ascending), key=weight))

    def test_where_rows_come(self) -> None:
        """What is worse is above what is bad; what is ok has no place of its own."""
        self.assertLess(RANKS[CRIT], RANKS[WARN])
        self.assertNotIn(OK, RANKS)
