"""Frames for a pipe: JSON, CSV, plain text and log lines."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console import clock
from connmon.console.batch import (
    Look,
    as_csv,
    as_json,
    as_log,
    as_text,
    csv_header,
)
from connmon.console.choices import Choices
from connmon.console.text import ASCII, UNICODE
from connmon.console.text import width as cells_of
from connmon.views.frame import Frame, Head
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
    Kind,
)
from tests.console.frames import (
    CALM,
    FRAMES,
    HEAD,
    a_frame,
    a_program,
    a_row,
    departed,
)
from tests.console.sources import told_frames

QUICK = settings(deadline=None, max_examples=60, database=None)
ANY_FRAME = st.sampled_from(sorted(VIEWS)).flatmap(told_frames)
NOW = 1_700_000_000.1234567

_TOTALS = "checkouts,connects,closes,connect_failures,invalidations"
_CONNECTION = (
    "time,hostname,progname,pid,process,pool_id,pool_name,connection,server_session,"
    "address,state,out_seconds,txn_seconds,txn_idle_seconds,idle_seconds,age_seconds,"
    "uses,alert,reason,stale_seconds,owner,tag,leak,site"
)
_SUMMED_UP = (
    "ckout,out_of,share,waiting,oldest_wait_seconds,oldest_seconds,txn_seconds,nproc,"
    "hosts,hostnames,prognames"
)
_JUDGED = "stale,stale_seconds,alert,reason"
SCHEMA = {
    PROGRAMS: "time,hostname,progname,connected,nproc,conn,ckout,maxnproc,maxconn,"
    "maxckout,ckoutpersec,stale,stale_seconds,programs,gone_seconds,state,alert,reason,"
    "pool_size,max_overflow,capacity,pool_worst,full,waiting,oldest_wait_seconds,"
    "wait_p99_seconds,oldest_seconds,txn_seconds,timeouts,timeouts_per_minute,"
    f"invalidations_per_second,connects_per_second,leaks,{_TOTALS},history",
    HOSTS: "time,hostname,programs,nproc,conn,ckout,ckoutpersec,stale,stale_seconds,"
    "gone_seconds,state,alert,reason,capacity,pool_worst,full,waiting,oldest_wait_seconds,"
    "wait_p99_seconds,oldest_seconds,txn_seconds,timeouts,timeouts_per_minute,"
    f"invalidations_per_second,connects_per_second,leaks,{_TOTALS}",
    PROCESSES: "time,hostname,progname,pid,process,node,up_seconds,heard_seconds,"
    "pools,engines,conn,ckout,maxconn,maxckout,ckoutpersec,stale_seconds,state,alert,"
    "reason,"
    "capacity,pool_worst,full,waiting,oldest_wait_seconds,wait_p99_seconds,"
    f"oldest_seconds,txn_seconds,timeouts,leaks,{_TOTALS}",
    POOLS: "time,hostname,progname,pid,process,pool_id,pool_name,kind,pool_size,"
    "max_overflow,timeout_seconds,recycle_seconds,pre_ping,conn,ckout,maxconn,"
    "maxckout,stale_seconds,state,alert,reason,pool_used,waiting,oldest_wait_seconds,"
    "wait_p99_seconds,oldest_seconds,txn_seconds,hold_p50_seconds,hold_p99_seconds,"
    f"connect_p99_seconds,timeouts,leaks,{_TOTALS},closings,waiters,wait_histogram",
    CONNECTIONS: _CONNECTION,
    CHECKOUTS: _CONNECTION,
    NODES: "time,node,address,state,reason,since_seconds,heard_seconds,clients,"
    "consoles,agreed_seconds,lag_seconds,bytes_sent,bytes_received,messages_sent,"
    "messages_received,version,remarks",
    EVENTS: "time,age_seconds,severity,hostname,progname,pid,node,text,origin,sequence",
    TIMEOUTS: "time,age_seconds,hostname,progname,pid,process,number,pool_id,pool_name,"
    "capacity,held,waiting,timeouts,waited_seconds,owner,tag,site,holders,waiters",
    SITES: f"time,site,{_SUMMED_UP},tags,{_JUDGED}",
    TAGS: f"time,tag,{_SUMMED_UP},sites,{_JUDGED}",
    SERVERS: "time,server,hostname,limit,worst_case,unbounded,conn,ckout,used,programs,"
    "nproc,largest,largest_share,adds,alert,reason",
    SHARES: "time,server,hostname,progname,nproc,worst_case,unbounded,conn,ckout,share,"
    "adds,alert,reason",
    ADVICE: "time,severity,rule,progname,hostnames,pool_name,site,finding,evidence,"
    "advice",
}
"""What is promised: programs of others rely on these names, in this order."""


def names(view: str) -> list[str]:
    """The names of a row's values, without the time that a line begins with."""
    every = SCHEMA[view].split(",")
    return every if view == EVENTS else every[1:]


class JsonTests(SynchronousTestCase):
    """``as_json``: one object a tick."""

    def told(self, frame: Frame, time: float = NOW) -> dict[str, Any]:
        """What is read of a frame again."""
        text = as_json(frame, time)
        self.assertTrue(text.isascii() and text.isprintable(), text)
        told: dict[str, Any] = json.loads(text)
        return told

    def test_programs(self) -> None:
        """The totals come with them, those of the original first."""
        told = self.told(a_frame(PROGRAMS, [a_program("web1", "shop")]))
        rows = told.pop("programs")
        self.assertEqual(
            '{"time": 1700000000.123, "service": "default", "node": "node1", '
            '"hosts": {"current": 5, "max": 7}, '
            '"processes": {"current": 156, "max": 167, "stale": 0}, '
            '"connections": {"current": 586, "max": 1048}, '
            '"checkouts": {"current": 149, "max": 317, "per_second": 1421.3}, '
            '"cluster": {"nodes": 3, "up": 2, "down": ["node3"]}, '
            '"alerts": {"crit": 1, "warn": 3, "worst": "ctl1 nova-api STUCK: 7 '
            'waiting, pool full in 3 of 8 processes, oldest 38.2s"}, '
            '"waiting": 7, "wait_p99_seconds": 2.9, "timeouts": 12, '
            '"oldest_seconds": 412.0, "txn_seconds": 409.0, "history": [1300.0, '
            "1500.0, 1700.0, 1650.0, 1200.0, 900.0, 800.0, 1000.0, 1400.0], "
            '"count": 1}',
            json.dumps(told),
        )
        (row,) = rows
        self.assertEqual(["web1", "shop", True, 3, 17, 4], list(row.values())[:6])

    def test_a_service_without_anything(self) -> None:
        """What nobody has told is null, and no number stands in for it."""
        told = self.told(a_frame(PROGRAMS, head=CALM))
        self.assertEqual(([], 0), (told["programs"], told["count"]))
        self.assertIs(None, told["checkouts"]["per_second"])
        for name in ("waiting", "timeouts", "oldest_seconds", "txn_seconds"):
            self.assertIs(None, told[name])
        self.assertEqual({"nodes": 1, "up": 1, "down": []}, told["cluster"])

    def test_every_view(self) -> None:
        """Its rows have the names that are promised, in their order."""
        for view, frame in FRAMES.items():
            told = self.told(frame)
            self.assertEqual(["time", "service", "node"], list(told)[:3])
            if view != PROGRAMS:
                self.assertEqual([view, "count"], list(told)[3:])
            self.assertEqual(len(frame.rows), told["count"])
            for row in told[view]:
                self.assertEqual(names(view), list(row))

    def test_kinds(self) -> None:
        """Texts, whole numbers, seconds, flags and lists are such in JSON."""
        kinds = {
            Kind.TEXT: str,
            Kind.TEXTS: list,
            Kind.COUNT: int,
            Kind.SECONDS: float,
            Kind.RATE: float,
            Kind.RATIO: float,
            Kind.FLAG: bool,
            Kind.SERIES: list,
            Kind.RECORDS: list,
            Kind.TALLIES: list,
        }
        for view, frame in FRAMES.items():
            for row in self.told(frame)[view]:
                for field in VIEWS[view].fields:
                    value = row[field.name]
                    if value is not None:
                        self.assertIs(kinds[field.kind], type(value), field)

    def test_timeouts(self) -> None:
        """There is an object for each holder and waiter, with what is known of it."""
        row = self.told(FRAMES[TIMEOUTS])["timeouts"][0]
        self.assertEqual(
            [
                {
                    "site": "nova/api/orders.py:88",
                    "function": "create",
                    "thread": "worker-3",
                    "seconds": 38.2,
                    "session": 40211,
                    "address": "10.0.0.5:53211",
                    "tag": "import-job",
                },
                {
                    "site": "nova/report.py:7",
                    "function": "<lambda>",
                    "thread": "worker-1",
                    "seconds": 9.0,
                    "session": None,
                    "address": None,
                    "tag": None,
                },
                {
                    "site": None,
                    "function": None,
                    "thread": "worker-2",
                    "seconds": 0.4,
                    "session": None,
                    "address": None,
                    "tag": None,
                },
            ],
            row["holders"],
        )
        self.assertEqual(["worker-7"], [each["thread"] for each in row["waiters"]])
        line = as_csv(FRAMES[TIMEOUTS], 100.0).split("\r\n")[0]
        self.assertIn(
            ",nova/api/orders.py:88 create worker-3 38.2s; "
            "nova/report.py:7 <lambda> worker-1 9.0s; worker-2 0.4s,",
            line,
        )

    def test_waiters(self) -> None:
        """There is an object for each who waits for a pool."""
        row = self.told(FRAMES[POOLS])["pools"][0]
        self.assertEqual(
            [("worker-7", 12.5), ("worker-9", 0.4)],
            [(each["thread"], each["seconds"]) for each in row["waiters"]],
        )
        self.assertEqual(
            ("nova/api/orders.py:88", "create", "web"),
            tuple(row["waiters"][0][name] for name in ("site", "function", "tag")),
        )

    def test_closings(self) -> None:
        """There is an object for each reason; none is not unknown."""
        row, other = self.told(FRAMES[POOLS])["pools"]
        self.assertEqual(
            [{"reason": "overflow", "count": 812}, ("pool invalidated", 6)],
            [row["closings"][0], tuple(row["closings"][1].values())],
        )
        self.assertEqual([], other["closings"])
        line, other_line = as_csv(FRAMES[POOLS], 100.0).split("\r\n")[:2]
        said = "overflow 812; pool invalidated 6; recycle 3; "
        self.assertIn(f",{said}invalidated: OperationalError 1; pre-ping 1", line)
        self.assertTrue(other_line.endswith(",,"), other_line)

    def test_waits(self) -> None:
        """By the seconds they took at most; without a bound that is null."""
        row, other = self.told(FRAMES[POOLS])["pools"]
        self.assertEqual(
            [
                {"up_to_seconds": 0.0025, "count": 31},
                {"up_to_seconds": 10.0, "count": 4},
                {"up_to_seconds": None, "count": 1},
            ],
            row["wait_histogram"],
        )
        self.assertEqual([], other["wait_histogram"])
        line = as_csv(FRAMES[POOLS], 100.0).split("\r\n")[0]
        self.assertTrue(line.endswith(",0.0025 31; 10 4; inf 1"), line)

    def test_events(self) -> None:
        """Each has the time when it happened, the same from tick to tick."""
        times = []
        for passed in (0.0, 60.0):
            rows = [(row[0] + passed, *row[1:]) for row in FRAMES[EVENTS].rows]
            told = self.told(replace(FRAMES[EVENTS], rows=tuple(rows)), NOW + passed)
            times.append([row["time"] for row in told["events"]])
        self.assertEqual(times[0], times[1])
        self.assertEqual(round(NOW - 3.0, 3), times[0][0])

    def test_names_are_verbatim_and_harmless(self) -> None:
        """Whatever a name is, it is the same when read, and was ASCII until then."""
        name = "\x1b[2J日本\n\U0001f600\u202e\udc80\0"
        frame = a_frame(PROGRAMS, [a_program(name, name)], head=Head(name, name))
        told = self.told(frame)
        (row,) = told["programs"]
        self.assertEqual(
            [name] * 4,
            [told["service"], told["node"], row["hostname"], row["progname"]],
        )

    def test_what_json_has_no_word_for(self) -> None:
        """It is null rather than a line that nobody can read."""
        for bad in (math.nan, math.inf, -math.inf):
            row = a_program(ckoutpersec=bad, oldest_seconds=bad, pool_worst=bad)
            told = self.told(a_frame(PROGRAMS, [row]), bad)
            self.assertIs(None, told["time"])
            (row_told,) = told["programs"]
            for name in ("ckoutpersec", "oldest_seconds", "pool_worst"):
                self.assertIs(None, row_told[name])

    def test_digits(self) -> None:
        """Three behind the point, six where it is of microseconds."""
        program = a_program(ckoutpersec=12.3456789, oldest_seconds=0.00049)
        (row,) = self.told(a_frame(PROGRAMS, [program]))["programs"]
        self.assertEqual((12.346, 0.0), (row["ckoutpersec"], row["oldest_seconds"]))
        node = a_row(NODES, lag_seconds=0.00042449)
        (row,) = self.told(a_frame(NODES, [node]))["nodes"]
        self.assertEqual(0.000424, row["lag_seconds"])

    def test_a_node_of_another_version(self) -> None:
        """What it leaves out is null; the names are the same."""
        fields = ("hostname", "progname", "ckout")
        frame = replace(a_frame(PROGRAMS), fields=fields, rows=(("a", "b", 3),))
        (row,) = self.told(frame)["programs"]
        self.assertEqual(names(PROGRAMS), list(row))
        self.assertEqual(
            {"hostname": "a", "progname": "b", "ckout": 3},
            {name: value for name, value in row.items() if value is not None},
        )

    @QUICK
    @given(ANY_FRAME)
    def test_reads_back(self, frame: Frame) -> None:
        """Any frame is one line that can be read, with all that was told."""
        told = self.told(frame)
        for row, read in zip(frame.rows, told[frame.view], strict=True):
            for name, value in zip(frame.fields, row, strict=True):
                if isinstance(value, float):
                    self.assertLess(abs(value - read[name]), 0.0006)
                elif isinstance(value, tuple):
                    self.assertEqual(len(value), len(read[name]))
                else:
                    self.assertEqual(value, read[name])


class CsvTests(SynchronousTestCase):
    """``as_csv``: a line for each row, as RFC 4180 has it."""

    def read(self, text: str) -> list[dict[str, str]]:
        """What a reader of CSV makes of it."""
        # Bytes and back: it is a file of UTF-8. NUL cannot be read before Python 3.11.
        text = text.encode("utf-8").decode("utf-8").replace("\0", "")
        return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))

    def test_the_names(self) -> None:
        """Those that are promised, whatever a node leaves out."""
        for view, frame in FRAMES.items():
            self.assertEqual(SCHEMA[view] + "\r\n", csv_header(frame))
            few = replace(frame, fields=frame.fields[:2], rows=())
            self.assertEqual(SCHEMA[view] + "\r\n", csv_header(few))

    def test_rows(self) -> None:
        """Truth is 1 or 0, and what is not known is empty."""
        frame = a_frame(PROGRAMS, [a_program("web1", "shop"), departed("web2", "shop")])
        one, two, end = as_csv(frame, 1.5).split("\r\n")
        self.assertEqual("", end)
        self.assertTrue(
            one.startswith(
                "1.5,web1,shop,1,3,17,4,3,25,21,39.5,0,,,,OK,ok,,5,10,45,0.4,0,,"
            ),
            one,
        )
        self.assertTrue(two.startswith("1.5,web2,shop,0,0,0,0,2,30,8,0.0,0,,"), two)

    def test_lists(self) -> None:
        """Texts are parted by semicolons, numbers by blanks; an empty list is empty."""
        node = a_row(NODES, node="a", remarks=("one, two", "three"))
        alone = a_row(NODES, node="b", remarks=())
        one, two, _ = as_csv(a_frame(NODES, [node, alone]), 1.5).split("\r\n")
        self.assertTrue(one.endswith(',"one, two; three"'), one)
        self.assertTrue(two.endswith(",,"), two)
        program = a_program(history=(0.5, 1.25))
        (line, _) = as_csv(a_frame(PROGRAMS, [program]), 1.5).split("\r\n")
        self.assertTrue(line.endswith(",0.5 1.25"), line)

    def test_no_rows(self) -> None:
        """A tick without rows has no lines."""
        for view in VIEWS:
            self.assertEqual("", as_csv(a_frame(view), 1.5))

    def test_events(self) -> None:
        """Their time is when they happened, not that of the tick."""
        lines = as_csv(FRAMES[EVENTS], 100.0).split("\r\n")
        self.assertTrue(lines[0].startswith("97.0,3.0,crit,ctl1,nova-api,11200,node1,"))

    def test_quoting(self) -> None:
        """Commas, quotes and line ends are quoted; a formula is left alone."""
        frame = a_frame(PROGRAMS, [a_program('a,"b"\r\n', "=1+1")])
        line = as_csv(frame, 1.0)
        self.assertTrue(line.startswith('1.0,"a,""b""\r\n",=1+1,1,3,'), line)
        line = as_csv(a_frame(PROGRAMS, [a_program("a\rb", "c\nd")]), 1.0)
        self.assertTrue(line.startswith('1.0,"a\rb","c\nd",1,3,'), line)

    @QUICK
    @given(ANY_FRAME)
    def test_reads_back(self, frame: Frame) -> None:
        """Any frame, written as UTF-8, is read back field by field."""
        read = self.read(csv_header(frame) + as_csv(frame, 1.0))
        self.assertEqual(len(frame.rows), len(read))
        for row, got in zip(frame.rows, read, strict=True):
            self.assertEqual(SCHEMA[frame.view].split(","), list(got))
            told = dict(zip(frame.fields, row, strict=True))
            for field in VIEWS[frame.view].fields:
                self.check(told.get(field.name), got[field.name])

    def check(self, value: object, got: str) -> None:
        """One value, and what was read of it."""
        if value is None:
            self.assertEqual("", got)
        elif isinstance(value, str):
            kept = value.encode("utf-8", "replace").decode("utf-8")
            self.assertEqual(kept.replace("\0", ""), got)
        elif isinstance(value, bool):
            self.assertEqual("1" if value else "0", got)
        elif isinstance(value, float):
            self.assertLess(abs(value - float(got)), 0.0006)
        elif isinstance(value, int):
            self.assertEqual(str(value), got)


class TextTests(SynchronousTestCase):
    """``as_text``: to be read by people, through a pipe."""

    def test_a_tick(self) -> None:
        """Heading, totals, waits, what is wrong, and the table, uncut."""
        program = a_program("ctl1", "keystone-wsgi-public" * 3, alert="warn")
        text = as_text(a_frame(PROGRAMS, [program]), NOW)
        heading, totals, waits, worst, columns, row, end = text.split("\n")
        self.assertEqual(
            f"connmon default@node1  {clock.told(NOW, clock.DATE_AND_TIME)}"
            "  cluster 2/3 up (node3 down)",
            heading,
        )
        self.assertTrue(totals.startswith("Hosts 5 max 7  Procs 156 max 167"), totals)
        self.assertTrue(waits.startswith("Waiting 7  wait p99 2.9s"), waits)
        self.assertTrue(
            worst.startswith("1 CRIT   3 WARN  ctl1 nova-api STUCK: 7"), worst
        )
        self.assertTrue(columns.startswith("HOST PROGRAM "), columns)
        self.assertTrue(row.startswith("ctl1 " + "keystone-wsgi-public" * 3), row)
        self.assertEqual("", end)

    def test_every_view(self) -> None:
        """A line for each row at least; of nodes also their remarks."""
        for view, frame in FRAMES.items():
            lines = as_text(frame, NOW).split("\n")
            below = 1 if view == NODES else 0
            self.assertEqual(6 + len(frame.rows) + below, len(lines), view)
            self.assertNotIn("…", as_text(frame, NOW))

    def test_events_have_times(self) -> None:
        """Of day, as they were at the tick."""
        text = as_text(FRAMES[EVENTS], NOW)
        self.assertIn(clock.told(NOW - 3.0), text)

    def test_blank_line_between_ticks(self) -> None:
        """A blank line comes before each tick but the first."""
        frame = FRAMES[PROGRAMS]
        self.assertEqual("\n" + as_text(frame, 1.0), as_text(frame, 1.0, first=False))

    def test_width(self) -> None:
        """No line is wider, down to a single cell."""
        for frame in FRAMES.values():
            for width in (1, 2, 20, 80, 200):
                for line in as_text(frame, NOW, look=Look(width)).split("\n"):
                    self.assertLessEqual(cells_of(line), width, line)

    def test_choices(self) -> None:
        """Durations are in plain seconds where that is wanted."""
        look = Look(choices=Choices(exact=True))
        self.assertIn(" 412.0s ", as_text(FRAMES[PROGRAMS], NOW, look=look))

    def test_a_moment_beyond_the_calendar(self) -> None:
        """A damaged recording may have any; it is told as a number."""
        self.assertIn("  1e+300", as_text(FRAMES[EVENTS], 1e300))

    @QUICK
    @given(ANY_FRAME, st.none() | st.integers(1, 120), st.booleans())
    def test_harmless(self, frame: Frame, width: int | None, plain: bool) -> None:
        """Any frame is printable lines without blanks at their ends, and fits."""
        glyphs = ASCII if plain else UNICODE
        text = as_text(frame, 1.0, look=Look(width, glyphs=glyphs))
        for line in text.split("\n"):
            self.assertTrue(line.isprintable(), line)
            self.assertEqual(line.rstrip(), line)
            self.assertTrue(width is None or cells_of(line) <= width, line)
        self.assertTrue(text.isascii() or not plain)


class LogTests(SynchronousTestCase):
    """``as_log``: one line a tick, for a log."""

    def test_a_line(self) -> None:
        """When, whose, the totals, and what is worst."""
        self.assertEqual(
            f"{clock.told(NOW, clock.DATE_AND_TIME)} connmon default@node1  "
            "Hosts 5 max 7  Procs 156 max 167  Conns 586 max 1048  "
            "Ckout 149 max 317  1421/s  "
            "ctl1 nova-api STUCK: 7 waiting, pool full in 3 of 8 processes, "
            "oldest 38.2s",
            as_log(a_frame(NODES, head=HEAD), NOW),
        )

    def test_nothing_wrong(self) -> None:
        """The line ends with the totals."""
        self.assertTrue(as_log(a_frame(NODES, head=CALM), NOW).endswith("  -/s"))

    @QUICK
    @given(ANY_FRAME, st.booleans())
    def test_harmless(self, frame: Frame, plain: bool) -> None:
        """Whatever it is of, it is one line, and harmless."""
        line = as_log(frame, 1.0, Look(glyphs=ASCII if plain else UNICODE))
        self.assertTrue(line.isprintable(), line)
        self.assertTrue(line.isascii() or not plain, line)
