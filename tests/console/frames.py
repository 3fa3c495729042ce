"""Frames to be drawn: a fleet with troubles, one of each view, and hostile ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from connmon.console import columns
from connmon.console.choices import Choices
from connmon.console.place import Asking, Mode, Place, Prompt, Screen
from connmon.console.shown import Shown, State
from connmon.console.text import ASCII, UNICODE
from connmon.views.frame import Frame, Gauge, Head, Row
from connmon.views.schema import (
    ADVICE,
    CHECKOUTS,
    CONNECTIONS,
    EVENTS,
    HOSTS,
    NODES,
    POOLS,
    PROCESSES,
    PROGRAMS,
    SERVERS,
    SHARES,
    SITES,
    TAGS,
    TIMEOUTS,
    VIEWS,
    Taking,
    Tally,
)
from tests.console.fakes import NASTY

HEAD = Head(
    service="default",
    node="node1",
    hosts=Gauge(5, 7),
    processes=Gauge(156, 167),
    connections=Gauge(586, 1048),
    checkouts=Gauge(149, 317),
    per_second=1421.3,
    history=(1300.0, 1500.0, 1700.0, 1650.0, 1200.0, 900.0, 800.0, 1000.0, 1400.0),
    waiting=7,
    wait_p99_seconds=2.9,
    timeouts=12,
    oldest_seconds=412.0,
    txn_seconds=409.0,
    crit=1,
    warn=3,
    worst="ctl1 nova-api STUCK: 7 waiting, pool full in 3 of 8 processes, oldest 38.2s",
    nodes_up=2,
    nodes=3,
    down=("node3",),
)
"""A service that one node of three is missing of."""

CALM = Head(service="default", node="node1")
"""A service without anything."""

_HISTORY = (25.0, 40.0, 55.0, 60.0, 52.0, 31.0, 18.0, 12.0, 22.0, 39.5)


def a_row(view: str, **values: Any) -> Row:
    """A row of a view; what is not given is not known."""
    return tuple(values.pop(each.name, None) for each in VIEWS[view].fields)


def a_frame(view: str, rows: list[Row] | tuple[Row, ...] = (), **changes: Any) -> Frame:
    """A frame of these rows, which are all there are."""
    names = tuple(each.name for each in VIEWS[view].fields)
    whole = Frame(HEAD, view, names, tuple(rows), count=len(rows), total=len(rows))
    return replace(whole, **changes)


def a_program(host: str = "ctl1", program: str = "nova-api", **values: Any) -> Row:
    """A row of the programs view that nothing is wrong with."""
    usual = {
        "connected": True,
        "nproc": 3,
        "conn": 17,
        "ckout": 4,
        "maxnproc": 3,
        "maxconn": 25,
        "maxckout": 21,
        "ckoutpersec": 39.5,
        "stale": 0,
        "state": "OK",
        "alert": "ok",
        "reason": "",
        "pool_size": 5,
        "max_overflow": 10,
        "capacity": 45,
        "pool_worst": 0.4,
        "full": 0,
        "oldest_seconds": 0.13,
        "invalidations_per_second": 0.0,
        "history": _HISTORY,
        "checkouts": 48123,
        "connects": 311,
        "closes": 294,
        "connect_failures": 0,
        "invalidations": 2,
    }
    return a_row(PROGRAMS, hostname=host, progname=program, **{**usual, **values})


def departed(host: str = "batch1", program: str = "etl-nightly", **values: Any) -> Row:
    """A program whose last process ended two hours ago."""
    gone = {
        "connected": False,
        "nproc": 0,
        "conn": 0,
        "ckout": 0,
        "maxnproc": 2,
        "maxconn": 30,
        "maxckout": 8,
        "ckoutpersec": 0.0,
        "gone_seconds": 7265.0,
        "pool_size": None,
        "max_overflow": None,
        "capacity": None,
        "pool_worst": None,
        "oldest_seconds": None,
        "history": (0.0,) * 10,
    }
    return a_program(host, program, **{**gone, **values})


def troubled() -> list[Row]:
    """Programs of which each has a trouble of its own."""
    return [
        a_program(
            nproc=8,
            conn=63,
            ckout=45,
            maxnproc=9,
            maxconn=66,
            maxckout=75,
            ckoutpersec=0.4,
            capacity=120,
            pool_worst=1.0,
            full=3,
            waiting=7,
            wait_p99_seconds=2.9,
            oldest_seconds=38.2,
            txn_seconds=31.0,
            timeouts=12,
            timeouts_per_minute=12.0,
            state="STUCK",
            alert="crit",
            reason="7 waiting, pool full in 3 of 8 processes, oldest checkout 38s",
        ),
        a_program(
            "bill7",
            "billing-worker",
            nproc=12,
            conn=43,
            ckout=5,
            ckoutpersec=0.0,
            pool_worst=0.8,
            waiting=0,
            wait_p99_seconds=0.002,
            oldest_seconds=412.0,
            txn_seconds=409.0,
            max_overflow=0,
            alert="warn",
            reason="pool 80 % used, oldest checkout 6m52s",
            history=(),
        ),
        a_program(
            "ctl3",
            "nova-conductor",
            nproc=8,
            ckout=14,
            ckoutpersec=96.7,
            pool_worst=0.87,
            stale=2,
            stale_seconds=4.0,
            alert="warn",
            reason="pool 87 % used, 2 processes not heard",
        ),
        a_program(
            "web2",
            "frontend/uwsgi",
            nproc=16,
            conn=75,
            ckout=8,
            ckoutpersec=190.0,
            stale=16,
            stale_seconds=11.04,
            pool_size=10,
            max_overflow=None,
            capacity=None,
            pool_worst=None,
            alert="warn",
            reason="16 processes not heard",
        ),
        departed(),
    ]


def fleet() -> list[Row]:
    """Rows enough to scroll: those in trouble, then short names and long ones."""
    rows = troubled()
    for host in range(1, 7):
        name = f"ctl{host}" if host < 6 else "compute-node-0117.rack12.prod.example.net"
        for number, program in enumerate(
            ("cinder-api", "keystone-wsgi-public", "neutron-server", "heat-engine")
        ):
            count = host * (number + 1)
            rows.append(
                a_program(
                    name,
                    program,
                    nproc=count,
                    conn=5 * count,
                    ckout=2 * count if number else 0,
                    maxnproc=count + 1,
                    maxconn=7 * count,
                    maxckout=3 * count,
                    ckoutpersec=None if number == 3 else count * 1.7,
                    pool_worst=0.07 * number,
                    oldest_seconds=0.019 * number or None,
                    invalidations_per_second=0.4 if number == 3 else 0.0,
                )
            )
    return rows


def tree() -> list[Row]:
    """Two hosts with their programs below them, as a node sends a tree."""
    return [
        a_program("bill7", "", programs=1, alert="warn", maxnproc=None, history=None),
        a_program("bill7", "billing-worker", alert="warn"),
        a_program("ctl1", "", programs=3, maxnproc=None, history=None),
        a_program("ctl1", "cinder-api"),
        a_program("ctl1", "keystone-wsgi-public"),
        a_program("ctl1", "nova-api", state="BUSY", alert="crit", pool_worst=1.0),
    ]


def hosts() -> list[Row]:
    """Hosts: in trouble, stale, gone, well."""
    usual: dict[str, Any] = {
        "nproc": 45,
        "conn": 196,
        "ckout": 81,
        "ckoutpersec": 399.0,
        "stale": 0,
    }
    usual |= {"state": "OK", "alert": "ok", "programs": 9}
    usual |= {"pool_worst": 0.27, "oldest_seconds": 0.2}
    crit: dict[str, Any] = {
        "state": "UNREACHABLE",
        "alert": "crit",
        "pool_worst": 1.0,
        "waiting": 7,
        "oldest_seconds": 38.2,
    }
    stale: dict[str, Any] = {"alert": "warn", "stale": 45, "stale_seconds": 11.04}
    gone = {"nproc": 0, "conn": 0, "ckout": 0, "programs": 0, "gone_seconds": 7265.0}
    return [
        a_row(HOSTS, hostname="ctl1", **{**usual, **crit}),
        a_row(HOSTS, hostname="web2", **{**usual, **stale}),
        a_row(HOSTS, hostname="batch1", **{**usual, **gone}),
        a_row(HOSTS, hostname="compute-node-0117.rack12.prod.example.net", **usual),
    ]


_OF = {"hostname": "ctl1", "progname": "nova-api", "node": "node1"}


def processes() -> list[Row]:
    """Processes of one program, the last of them not heard."""
    rows = []
    for number in range(6):
        full = number < 3
        values = {
            "pid": 11200 + number,
            "process": f"token{number}",
            "up_seconds": 3 * 86400.0 + 4 * 3600,
            "heard_seconds": 0.4,
            "pools": 1,
            "engines": 1,
            "conn": 15 if full else 3,
            "ckout": 15 if full else 0,
            "maxconn": 15,
            "maxckout": 15,
            "ckoutpersec": 2.4,
            "capacity": 15,
            "pool_worst": 1.0 if full else 0.0,
            "full": int(full),
            "waiting": 4 - number if full else 0,
            "wait_p99_seconds": 2.9 if full else 0.002,
            "oldest_seconds": 38.2 - 9 * number if full else None,
            "timeouts": 5 - number if full else 0,
            "state": "STUCK" if full else "OK",
            "alert": "crit" if full else "ok",
            "stale_seconds": 11.04 if number == 5 else None,
        }
        rows.append(a_row(PROCESSES, **_OF, **values))
    return rows


def closings() -> tuple[Tally, ...]:
    """Why connections of a pool were closed."""
    return (
        Tally("overflow", 812),
        Tally("pool invalidated", 6),
        Tally("recycle", 3),
        Tally("invalidated: OperationalError", 1),
        Tally("pre-ping", 1),
    )


def pools() -> list[Row]:
    """Two pools of a process: a full one, and one without a bound."""
    of = {**_OF, "pid": 11200, "process": "token0"}
    full: dict[str, Any] = {"pool_size": 5, "max_overflow": 10, "conn": 15, "ckout": 15}
    full |= {"pool_used": 1.0, "waiting": 4, "oldest_seconds": 38.2, "alert": "crit"}
    full |= {"state": "LEAKING"}
    full |= {"kind": "QueuePool", "timeout_seconds": 30.0, "recycle_seconds": 3600.0}
    full |= {"pre_ping": True, "hold_p50_seconds": 0.021, "hold_p99_seconds": 4.1}
    full |= {"connects": 838, "closes": 823, "closings": closings()}
    full["reason"] = "4 waiting, pool full"
    full["waiters"] = (
        Taking("nova/api/orders.py:88 create", "worker-7", 12.5, tag="web"),
        Taking("", "worker-9", 0.4),
    )
    full["wait_histogram"] = (Tally("0.0025", 31), Tally("10", 4), Tally("inf", 1))
    open_: dict[str, Any] = {
        "kind": "AsyncAdaptedQueuePool",
        "pool_size": 10,
        "conn": 7,
        "ckout": 0,
    }
    open_ |= {"pre_ping": False, "alert": "ok", "closes": 0, "closings": ()}
    open_ |= {"waiters": (), "wait_histogram": ()}
    open_ |= {"state": "OK"}
    main = "postgresql+psycopg2 db1.prod/nova"
    return [
        a_row(POOLS, **of, pool_id=1, pool_name=main, **full),
        a_row(POOLS, **of, pool_id=2, pool_name="sqlite /var/lib/cache", **open_),
    ]


def connections(view: str = CONNECTIONS) -> list[Row]:
    """Connections: out, in a transaction, idle, detached, of a stale process."""
    rows = []
    for number in range(9):
        out = number < 6
        warn = number < 2
        values = {
            "pid": 11200,
            "process": "token0",
            "pool_id": 1,
            "pool_name": "postgresql+psycopg2 db1.prod/nova",
            "connection": number + 1,
            "server_session": 40211 + 3 * number if number % 2 else None,
            "state": "out" if out else "idle" if number < 8 else "detached",
            "out_seconds": 38.2 - 5 * number if out else None,
            "txn_seconds": 30.6 - 5 * number if number in (0, 1, 3) else None,
            "txn_idle_seconds": 29.0 - 5 * number if number in (0, 3) else None,
            "idle_seconds": None if out else 2.5,
            "age_seconds": 9000.0,
            "uses": 55088 - number,
            "alert": "warn" if warn else "ok",
            "reason": "out for 38s" if warn else "",
            "stale_seconds": 11.04 if number == 5 else None,
            "owner": f"worker-{number + 1}" if out else None,
            "site": "nova/db/sqlalchemy/api.py:412 instance_get_all" if out else None,
        }
        rows.append(
            a_row(view, **{k: v for k, v in _OF.items() if k != "node"}, **values)
        )
    return rows[:6] if view == CHECKOUTS else rows


def nodes() -> list[Row]:
    """A cluster: itself, one that is up with a remark, one silent, and one down."""
    traffic = ("bytes_sent", "bytes_received", "messages_sent", "messages_received")
    return [
        a_row(
            NODES,
            node="node1",
            address="192.168.1.205:5800",
            state="up",
            reason="",
            since_seconds=190.0,
            clients=5,
            consoles=1,
            version="3.0",
            remarks=(),
            **dict.fromkeys(traffic, 0),
        ),
        a_row(
            NODES,
            node="node2",
            address="192.168.1.206:5800",
            state="up",
            reason="",
            since_seconds=3 * 86400.0,
            heard_seconds=0.4,
            clients=14,
            consoles=0,
            agreed_seconds=1.2,
            lag_seconds=0.00042,
            version="3.0",
            remarks=("its node list differs: node3 is at 192.168.1.217:5800 there",),
            **dict(zip(traffic, (1_234_567, 45_678, 4_321, 3_210), strict=True)),
        ),
        a_row(
            NODES,
            node="node3",
            address="192.168.1.207:5800",
            state="unreachable",
            reason="no connection to 192.168.1.207:5800: connection refused; node2 "
            "does not hear it either",
            since_seconds=41.0,
            heard_seconds=41.3,
            agreed_seconds=42.0,
            lag_seconds=0.0123,
            remarks=(),
            **dict(zip(traffic, (999, 5 * 2**30, 12, 9), strict=True)),
        ),
        a_row(
            NODES,
            node="node4",
            address="192.168.1.208:5800",
            state="stale",
            reason="it has not answered for 12 s",
            since_seconds=12.0,
            remarks=None,
        ),
    ]


def events() -> list[Row]:
    """Events of all severities, about a process, a program, a node."""
    full = "pool timeout after 30.0s: size 5 overflow 10 all out, 4 waiting"
    left = "node3 192.168.1.207:5800 left: connection refused; 2 of 3 up"
    said: list[dict[str, Any]] = [
        {**_OF, "age_seconds": 3.0, "severity": "crit", "pid": 11200, "text": full},
        {**_OF, "age_seconds": 71.0, "severity": "warn", "text": "stale"},
        {"age_seconds": 95.0, "severity": "warn", "node": "node1", "text": left},
        {**_OF, "age_seconds": 7300.0, "severity": "info", "text": "last one ended"},
        {**_OF, "age_seconds": 90000.0, "severity": "info", "text": "first one began"},
    ]
    return [
        a_row(EVENTS, origin="start1", sequence=number, **values)
        for number, values in enumerate(said)
    ]


def timeouts() -> list[Row]:
    """A pool that timed out, and one of which little is known."""
    told: dict[str, Any] = {
        **_OF,
        "pid": 11200,
        "process": "token0",
        "pool_id": 1,
        "pool_name": "postgresql+psycopg2 db1.prod/nova",
        "capacity": 15,
        "held": 15,
        "waiting": 2,
        "timeouts": 12,
        "waited_seconds": 30.0,
        "owner": "MainThread",
        "tag": "import-job",
        "site": "nova/api/orders.py:88 create",
        "holders": (
            Taking(
                "nova/api/orders.py:88 create",
                "worker-3",
                38.2,
                40211,
                "10.0.0.5:53211",
                "import-job",
            ),
            Taking("nova/report.py:7 <lambda>", "worker-1", 9.0),
            Taking("", "worker-2", 0.4),
        ),
        "waiters": (Taking("nova/api/orders.py:88 create", "worker-7", 12.5),),
    }
    little = {"progname": "x", "hostname": "ctl2", "process": "t", "holders": ()}
    return [
        a_row(TIMEOUTS, age_seconds=3.0, number=2, **told),
        a_row(TIMEOUTS, age_seconds=90000.0, number=1, **little),
    ]


def sites() -> list[Row]:
    """Lines that hold connections, one of them many and with waiters, and no line."""
    told: list[dict[str, Any]] = [
        {
            "site": "nova/api/orders.py:88 create",
            "ckout": 11,
            "out_of": 15,
            "share": 11 / 15,
            "waiting": 2,
            "oldest_wait_seconds": 12.5,
            "oldest_seconds": 38.2,
            "nproc": 3,
            "hosts": 2,
            "hostnames": ("ctl1.prod.example.net", "ctl2.prod.example.net"),
            "prognames": ("nova-api", "nova-conductor"),
            "tags": ("import-job", "web"),
            "alert": "crit",
            "reason": "2 waiting, oldest checkout 38s",
        },
        {
            "site": "nova/db/sqlalchemy/api.py:412 instance_get_all_by_host_and_node",
            "ckout": 4,
            "out_of": 15,
            "share": 4 / 15,
            "oldest_seconds": 0.2,
            "stale": 1,
            "stale_seconds": 11.04,
            "alert": "warn",
            "reason": "1 process not heard",
        },
        {"out_of": 1},
    ]
    usual = {
        "ckout": 1,
        "waiting": 0,
        "nproc": 2,
        "hosts": 1,
        "hostnames": ("ctl1.prod.example.net",),
        "prognames": ("nova-api",),
        "tags": (),
        "stale": 0,
        "alert": "ok",
        "reason": "",
    }
    return [a_row(SITES, **{**usual, **each}) for each in told]


def tags() -> list[Row]:
    """The same by tags."""
    rows = []
    for row, tag in zip(sites(), ("import-job", "web", None), strict=True):
        values = dict(zip((f.name for f in VIEWS[SITES].fields), row, strict=True))
        del values["tags"]
        lines = tuple(filter(None, (values.pop("site"),)))
        rows.append(a_row(TAGS, **values, tag=tag, sites=lines))
    return rows


def servers() -> list[Row]:
    """A server that may be asked for too much, one that is full, one not known of."""
    asked: dict[str, Any] = {
        "unbounded": 0,
        "programs": 2,
        "nproc": 12,
        "alert": "warn",
    }
    return [
        a_row(
            SERVERS,
            server="db1.prod:3306",
            limit=255,
            worst_case=2600,
            conn=180,
            ckout=31,
            used=180 / 255,
            largest="ctl1 nova-api",
            largest_share=0.71,
            adds=30,
            reason="worst case 2600 of 255",
            **asked,
        ),
        a_row(
            SERVERS,
            server="localhost:5432",
            hostname="bill7",
            limit=97,
            worst_case=60,
            conn=95,
            ckout=90,
            used=95 / 97,
            largest="bill7 billing-worker",
            largest_share=1.0,
            adds=5,
            reason="95 of 97 connections open",
            **{**asked, "alert": "crit"},
        ),
        a_row(
            SERVERS,
            server="db2.prod:3306",
            worst_case=0,
            conn=3,
            ckout=3,
            largest="web2 frontend/uwsgi",
            reason="16 pools without a bound",
            **{**asked, "unbounded": 16},
        ),
    ]


def shares() -> list[Row]:
    """Two programs with a pool for one server."""
    asked: dict[str, Any] = {
        "server": "db1.prod:3306",
        "unbounded": 0,
        "alert": "ok",
        "reason": "",
    }
    api: dict[str, Any] = {
        "nproc": 8,
        "worst_case": 240,
        "conn": 63,
        "ckout": 45,
        "adds": 30,
    }
    web: dict[str, Any] = {"nproc": 16, "worst_case": 0, "conn": 75, "ckout": 8}
    web |= {"unbounded": 16, "alert": "warn", "reason": "16 pools without a bound"}
    return [
        a_row(SHARES, hostname="ctl1", progname="nova-api", share=1.0, **asked | api),
        a_row(
            SHARES, hostname="web2", progname="frontend/uwsgi", share=0.0, **asked | web
        ),
    ]


def advice() -> list[Row]:
    """A finding about a pool, and one about a line."""
    return [
        a_row(
            ADVICE,
            severity="warn",
            rule="pool-too-small",
            progname="nova-api",
            hostnames=("ctl1", "ctl2"),
            pool_name="mysql+pymysql://db1.prod:3306/nova",
            site="",
            finding="the pool is too small: 15 places, and 18 were wanted at once",
            evidence="1432 of 20012 attempted checkouts waited and 12 timed out in "
            "ctl1 pid 11200, where 15 of 15 were out at most",
            advice="set pool_size=13 (it is 5; max_overflow=10)",
        ),
        a_row(
            ADVICE,
            severity="info",
            rule="engine-per-request",
            progname="frontend/uwsgi",
            hostnames=("web2",),
            pool_name="",
            site="shop/payments.py:31 connect",
            finding="engines are made again and again at shop/payments.py:31 connect, "
            "each with a pool of its own",
            evidence="480 engines in 20m00s in web2 pid 7",
            advice="make the engine once, as the module is imported, and use it at "
            "shop/payments.py:31 connect",
        ),
    ]


FRAMES = {
    PROGRAMS: a_frame(PROGRAMS, fleet()),
    HOSTS: a_frame(HOSTS, hosts()),
    PROCESSES: a_frame(PROCESSES, processes()),
    POOLS: a_frame(POOLS, pools(), about="QueuePool 5+10, timeout 30s, recycle 3600s"),
    CONNECTIONS: a_frame(CONNECTIONS, connections()),
    CHECKOUTS: a_frame(CHECKOUTS, connections(CHECKOUTS)),
    NODES: a_frame(NODES, nodes()),
    EVENTS: a_frame(EVENTS, events()),
    TIMEOUTS: a_frame(TIMEOUTS, timeouts()),
    SITES: a_frame(SITES, sites()),
    TAGS: a_frame(TAGS, tags()),
    SERVERS: a_frame(SERVERS, servers()),
    SHARES: a_frame(SHARES, shares()),
    ADVICE: a_frame(ADVICE, advice()),
}
"""One of each view."""


_NUMBERS = st.one_of(
    st.integers(0, 99999), st.integers(-(10**400), 10**400), st.floats()
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    _NUMBERS,
    NASTY,
    st.lists(st.one_of(st.none(), _NUMBERS, NASTY), max_size=25).map(tuple),
)
"""What may be in a row, of whatever field."""

COUNTS = st.integers(0, 10**40)
SECONDS = st.none() | st.floats()

HEADS = st.builds(
    Head,
    NASTY,
    NASTY,
    *[st.builds(Gauge, COUNTS, COUNTS)] * 4,
    per_second=SECONDS,
    history=st.lists(st.floats(), max_size=25).map(tuple),
    stale=COUNTS,
    waiting=st.none() | COUNTS,
    wait_p99_seconds=SECONDS,
    timeouts=st.none() | COUNTS,
    oldest_seconds=SECONDS,
    txn_seconds=SECONDS,
    crit=COUNTS,
    warn=COUNTS,
    worst=NASTY,
    nodes_up=COUNTS,
    nodes=COUNTS,
    down=st.lists(NASTY, max_size=3).map(tuple),
)


@st.composite
def any_frames(draw: st.DrawFn, view: str) -> Frame:
    """Frames of a view with whatever in them, and fields missing."""
    every = [each.name for each in VIEWS[view].fields]
    some = st.lists(st.sampled_from(every), unique=True)
    names = tuple(draw(st.just(every) | some))
    row = st.tuples(*[VALUES] * len(names))
    usual = st.sampled_from(FRAMES[view].rows)
    kept = usual.map(lambda values: _of_fields(view, values, names))
    rows = draw(st.lists(row | kept, max_size=8))
    return Frame(
        draw(HEADS),
        view,
        names,
        tuple(rows),
        first=draw(st.integers(0, 9) | COUNTS),
        count=draw(st.integers(0, 20) | COUNTS),
        total=draw(st.integers(0, 30) | COUNTS),
        about=draw(NASTY),
    )


def _of_fields(view: str, row: Row, names: tuple[str, ...]) -> Row:
    return tuple(row[VIEWS[view].index(each)] for each in names)


@st.composite
def any_shown(draw: st.DrawFn) -> Shown:
    """Whatever may have to be drawn."""
    view = draw(st.sampled_from(list(VIEWS)))
    frame = draw(st.none() | any_frames(view))
    sets = st.sampled_from([*columns.sets(view), "of another version"])
    names = st.sampled_from([each.name for each in VIEWS[view].fields])
    orders = names | names.map("-{}".format) | NASTY
    choices = Choices(
        sets={view: draw(sets)},
        sorts={view: draw(orders)},
        busy=draw(st.booleans()),
        tree=draw(st.booleans()),
        exact=draw(st.booleans()),
        short_names=draw(st.booleans()),
    )
    rows = (
        []
        if frame is None
        else [key for row in frame.rows if (key := _key(frame, row))]
    )
    place = Place(
        view,
        scope=draw(st.sampled_from([(), (("process", "token0"),), (("hostname", 1),)])),
        title=draw(st.lists(NASTY, max_size=3).map(tuple)),
        selected=draw(st.none() | st.sampled_from([*rows, ("no such row",)])),
        line=draw(st.integers(0, 50)),
        first=draw(st.integers(0, 50)),
        target=draw(st.none() | st.integers(0, 50)),
        where=draw(NASTY),
    )
    asking = st.sampled_from(Asking)
    screen = Screen(
        (Place(), place),
        choices,
        prompt=draw(st.none() | st.builds(Prompt, asking, NASTY, st.integers(-1, 40))),
        mode=draw(st.sampled_from(Mode)),
        notice=draw(NASTY),
        notice_is_error=draw(st.booleans()),
        scroll=draw(st.integers(0, 99)),
    )
    pairs = st.lists(st.tuples(NASTY, NASTY), max_size=4).map(tuple)
    return Shown(
        screen,
        frame,
        draw(st.sampled_from(State)),
        message=draw(NASTY),
        address=draw(NASTY),
        clock=draw(NASTY),
        age=draw(SECONDS),
        glyphs=draw(st.sampled_from([UNICODE, ASCII])),
        widest=draw(st.dictionaries(names, st.integers(0, 40), max_size=5)),
        log=tuple(draw(st.lists(NASTY, max_size=3))),
        footer=draw(pairs),
        help=tuple(draw(st.lists(st.tuples(NASTY, pairs), max_size=3))),
        time=draw(SECONDS),
    )


def _key(frame: Frame, row: Row) -> Row | None:
    names = VIEWS[frame.view].key
    if not all(each in frame.fields for each in names):
        return None
    return tuple(row[frame.fields.index(each)] for each in names)
