"""What is worth a warning, what is worse, and how that is said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.views.alert import (
    CRIT,
    OK,
    RANKS,
    WARN,
    Signs,
    alert,
    level,
    reason,
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
    # What nobody hears.
    (Signs(stale=1), WARN, "1 process not heard"),
    (Signs(stale=2), WARN, "2 processes not heard"),
    # Who waits, and who does no longer.
    (Signs(waiting=1), CRIT, "1 waiting"),
    (Signs(waiting=7, used=1.0, full=1), CRIT, "7 waiting, pool full"),
    (Signs(timeouts_per_minute=12.0), CRIT, "12 timeouts in the last minute"),
    (Signs(timeouts_per_minute=1.2), CRIT, "1 timeout in the last minute"),
    (Signs(timeouts_per_minute=0.1), CRIT, "1 timeout in the last minute"),
    # All at once, the worst first.
    (
        Signs(1.0, 3, 8, 7, 12.0, 38.2, 31.0, 1),
        CRIT,
        (
            "7 waiting, 12 timeouts in the last minute, pool full in 3 of 8 pools, "
            "oldest checkout 38s, transaction open 31s, 1 process not heard"
        ),
    ),
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
        """Who waits, how many pools are full, how full, and for how long it lasts."""
        ascending = (
            Signs(stale=9),
            Signs(oldest_seconds=31.0),
            Signs(oldest_seconds=99.0),
            Signs(used=0.8, oldest_seconds=40.0),
            Signs(used=0.9, oldest_seconds=0.0),
            Signs(used=1.0, full=1, oldest_seconds=99.0),
            Signs(used=1.0, full=2),
            Signs(timeouts_per_minute=1.0),
            Signs(waiting=1, used=1.0, full=3),
            Signs(waiting=2),
        )
        self.assertEqual(list(ascending), sorted(set(ascending), key=weight))

    def test_where_rows_come(self) -> None:
        """What is worse is above what is bad; what is ok has no place of its own."""
        self.assertLess(RANKS[CRIT], RANKS[WARN])
        self.assertNotIn(OK, RANKS)
