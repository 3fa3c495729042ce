"""Database servers by the names of pools, and what is asked of each."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.board import Board
from connmon.model.histogram import Histogram
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
from connmon.model.servers import (
    Claim,
    Claims,
    Server,
    address_of,
    most_open,
    of_process,
    of_several,
    out_of,
    server_of,
)


def facts(name: str, size: int | None = 5, overflow: int | None = 10) -> PoolFacts:
    """A QueuePool for a database."""
    return PoolFacts(name, "QueuePool", size, overflow, 30.0)


def pool(id: int, of: PoolFacts) -> PoolRecord:
    """A pool of which nothing else matters."""
    return PoolRecord(id, of, Counters(), Maxima(), Histogram(), Histogram())


DISPOSED = -1
"""Out of a pool that was disposed of."""


def connection(id: int, of: int, state: int = OUT) -> ConnectionRecord:
    """A connection of a pool."""
    if state == DISPOSED:
        return connection(id, of)._replace(disposed=True)
    return ConnectionRecord(id, of, state, 0.0, 0.0, 1, "")


class AddressTests(SynchronousTestCase):
    """``address_of`` and ``server_of``."""

    def test_addresses(self) -> None:
        """The driver makes no difference, and a port that is left out is known."""
        for name, expected in (
            ("mysql+pymysql://db/nova", "db:3306"),
            ("mysql+mysqldb://DB:3306/glance", "db:3306"),
            ("mariadb+pymysql://db/x", "db:3306"),
            ("postgresql+asyncpg://db1.prod:6432/x", "db1.prod:6432"),
            ("postgresql://db1.prod/x", "db1.prod:5432"),
            ("mssql+pyodbc://db/x", "db:1433"),
            ("oracle+oracledb://db/x", "db:1521"),
            ("postgresql+psycopg://[2001:DB8::5]:5433/x", "[2001:db8::5]:5433"),
            ("postgresql+psycopg://[::1]/x", "[::1]:5432"),
            ("postgresql+psycopg://2001:db8::5/x", "[2001:db8::5]:5432"),
            ("hive://db/x", "db"),
            ("hive://db:10000/x", "db:10000"),
            # Files, sockets, and what says nothing.
            ("sqlite+pysqlite:///x.db", ""),
            ("sqlite:///:memory:", ""),
            ("postgresql+psycopg2:///x", ""),
            ("postgresql+psycopg2:///var/run/postgresql/x", ""),
            ("mysql+pymysql://:3306/x", ""),
            ("", ""),
            ("nonsense", ""),
        ):
            self.assertEqual(expected, address_of(name), name)

    def test_own_hosts(self) -> None:
        """What means the application's own host is another server on each."""
        for host in ("localhost", "127.0.0.1", "127.0.1.1", "[::1]"):
            found = server_of(facts(f"mysql://{host}/x"), "ctl1")
            self.assertEqual(Server(f"{host}:3306", "ctl1"), found)
        self.assertEqual(Server("db:3306"), server_of(facts("mysql://db/x"), "ctl1"))
        self.assertIsNone(server_of(facts("sqlite:///x"), "ctl1"))

    @given(st.text(max_size=60))
    def test_any_name(self, name: str) -> None:
        """It is a server's or not; none fails."""
        address_of(name)
        address_of(f"mysql://{name}")


class BoundTests(SynchronousTestCase):
    """``most_open``."""

    def test_pools(self) -> None:
        """Size and overflow, one for pools of one, none where there is no bound."""
        for expected, of in (
            (15, facts("x")),
            (5, facts("x", 5, 0)),
            (None, facts("x", 5, None)),
            (None, facts("x", 0, 10)),
            (None, PoolFacts("x", "NullPool")),
            (None, PoolFacts("x", "SingletonThreadPool", 5)),
            (1, PoolFacts("x", "StaticPool")),
            (1, PoolFacts("x", "AssertionPool")),
        ):
            self.assertEqual(expected, most_open(of), of)


class ClaimTests(SynchronousTestCase):
    """``of_process`` and ``of_several``."""

    def test_one_pool(self) -> None:
        """Its places, and what is open and out."""
        claims = of_process(
            "h",
            {1: pool(1, facts("mysql://db/x")._replace(limit=151))},
            [connection(1, 1), connection(2, 1, IDLE)],
        )
        self.assertEqual({Server("db:3306"): Claim(1, 1, 15, 0, 2, limit=151)}, claims)

    def test_what_takes_no_place(self) -> None:
        """What outlived its pool, or was detached, may be open besides the pool's."""
        connections = [
            connection(1, 1),
            connection(2, 1, DISPOSED),
            connection(3, 1, DETACHED),
        ]
        claims = of_process("h", {1: pool(1, facts("mysql://db/x"))}, connections)
        (claim,) = claims.values()
        self.assertEqual(Claim(1, 1, 15, 0, 3, 2), claim)
        self.assertEqual(17, claim.worst_case)

    def test_several_pools(self) -> None:
        """Those of one server are one claim; files are none."""
        pools = {
            1: pool(1, facts("mysql+pymysql://db/x")),
            2: pool(2, facts("mysql+mysqldb://db:3306/y", 20, None)),
            3: pool(3, facts("sqlite:///z")),
            4: pool(4, facts("postgresql://pg/z", 3, 0)),
        }
        connections = [
            connection(1, 1),
            connection(2, 2, IDLE),
            connection(3, 3),
            connection(4, 9),
        ]
        self.assertEqual(
            {
                Server("db:3306"): Claim(1, 2, 15, 1, 2),
                Server("pg:5432"): Claim(1, 1, 3, 0, 0),
            },
            of_process("h", pools, connections),
        )

    def test_what_is_out(self) -> None:
        """By server, of all pools; what has no server is left out."""
        pools = {
            1: pool(1, facts("mysql+pymysql://db/x")),
            2: pool(2, facts("mysql+mysqldb://db:3306/y")),
            3: pool(3, facts("sqlite:///z")),
        }
        connections = [
            connection(1, 1),
            connection(2, 2),
            connection(3, 2, IDLE),
            connection(4, 3),
            connection(5, 9),
        ]
        self.assertEqual({Server("db:3306"): 2}, out_of("h", pools, connections))

    def test_several_processes(self) -> None:
        """They add up; the least limit that was read counts."""
        one: Claims = {Server("a"): Claim(1, 1, 15, 0, 2, 1, 200)}
        two: Claims = {Server("a"): Claim(1, 2, 7, 1, 3, 1, 100), Server("b"): Claim(1)}
        self.assertEqual(
            {Server("a"): Claim(2, 3, 22, 1, 5, 2, 100), Server("b"): Claim(1)},
            of_several([one, two]),
        )
        self.assertEqual({}, of_several([]))

    def test_no_more_than_a_count(self) -> None:
        """Whatever a process makes up, sums can be told."""
        claim = Claim(1, 1, MOST)
        self.assertEqual(MOST, claim.plus(claim).capacity)


NAMES = st.sampled_from(
    ("mysql://a/x", "mysql://a/y", "mysql://b/x", "mysql://localhost/x", "sqlite:///x")
)
SAID = st.tuples(
    st.integers(0, 4),
    st.sampled_from(("whole", "delta", "gone")),
    st.dictionaries(st.integers(1, 2), NAMES, min_size=1),
    st.lists(
        st.tuples(st.integers(1, 2), st.sampled_from((IDLE, OUT, DETACHED, DISPOSED))),
        max_size=3,
    ),
    st.sampled_from((None, None, None, 100, 200)),
    st.lists(st.integers(0, 3), max_size=1),
    st.booleans(),
)


class CeilingTests(SynchronousTestCase):
    """The sums that a board keeps."""

    def test_a_connection_of_another_pool(self) -> None:
        """None changes its pool, but a process may say so, and it counts there."""
        board = Board("s", "n")
        board.registered(Identity("p", "h", "x", 1), 1)
        pools = (pool(1, facts("mysql://a/x")), pool(2, facts("mysql://b/x")))
        for sequence, (base, of) in enumerate(((None, 1), (0, 2))):
            opened = (connection(1, of),)
            none = Counters(), Maxima()
            report = Report(sequence, base, 0.0, 1.0, *none, pools, opened)
            board.reported("p", 1, report, 0.0)
            self.check(board)

    @settings(deadline=None, max_examples=300)
    @given(st.lists(SAID, max_size=20))
    def test_any_history(self, history: list[tuple]) -> None:  # type: ignore[type-arg]
        """Whatever processes say, the sums are those of the live ones."""
        board = Board("s", "n")
        sequences: dict[str, int] = {}
        for now, (number, what, names, opened, limit, closed, look) in enumerate(
            history
        ):
            token = f"p{number}"
            who = Identity(token, f"h{number % 2}", f"x{number % 3}", number)
            live = token in board.processes and board.processes[token].live
            if what == "gone":
                board.departed(token, now, float(now))
                if token in board.processes and board.processes[token].live:
                    registration = board.processes[token].standing.registration
                    board.departed(token, registration, float(now))
                continue
            base = sequences.get(token) if what == "delta" and live else None
            if base is None:
                board.registered(who, now + 1)
            registration = (
                now + 1 if base is None else board.processes[token].standing[0]
            )
            sequences[token] = sequence = (base or 0) + 1
            told = [
                pool(id, facts(name)._replace(limit=limit))
                for id, name in names.items()
            ]
            report = Report(
                sequence,
                base,
                0.0,
                1.0,
                Counters(),
                Maxima(),
                tuple(told),
                tuple(
                    connection(id, of if of in names else min(names), state)
                    for id, (of, state) in enumerate(opened)
                ),
                closed=tuple(closed),
            )
            board.reported(token, registration, report, float(now))
            if look:
                self.check(board)
        self.check(board)

    def check(self, board: Board) -> None:
        """Compare with what counting afresh gives."""
        live = [each for each in board.processes.values() if each.live]
        expected = of_several(
            of_process(
                each.identity.hostname,
                each.pools,
                each.connections.values(),
            )
            for each in live
        )
        ceiling = board.sums.ceiling
        self.assertEqual(expected, ceiling.claims())
        for server in expected:
            most = max(
                of_several(each.claims for each in program.live.values())
                .get(server, Claim())
                .capacity
                for program in board.sums.programs.values()
            )
            program, claim = ceiling.largest(server)
            self.assertEqual(most, claim.capacity)
            self.assertEqual(claim, program.claims[server])
        programs: dict[Server, set[tuple[str, str]]] = {}
        for each in live:
            for server in each.claims:
                key = each.identity.hostname, each.identity.program
                programs.setdefault(server, set()).add(key)
        self.assertEqual(
            {server: len(each) for server, each in programs.items()},
            dict(ceiling.counts()),
        )
        found = {
            (server, program.hostname, program.progname)
            for program, claims in ceiling.programs()
            for server in claims
        }
        self.assertEqual(
            {(s, *each) for s, all_ in programs.items() for each in all_}, found
        )
