"""Frames for a pipe."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.batch import as_csv, as_json, as_text, csv_header
from connmon.console.text import ASCII, UNICODE
from connmon.model.summary import AnyFrame, Frame, NodesFrame
from tests.console.fakes import (
    FRAMES,
    NODES_FRAMES,
    a_frame,
    a_node,
    a_nodes_frame,
    a_row,
    departed,
    three_nodes,
)

QUICK = settings(deadline=None, max_examples=60, database=None)


class JsonTests(SynchronousTestCase):
    """``as_json``: one object a tick."""

    def test_the_programs_view(self) -> None:
        """The keys and their order are what the manual says."""
        row = a_row("web1", "shop", rate=12.34567, stale=3, stale_seconds=11.0041)
        gone = departed("web2", "shop")
        frame = replace(
            a_frame([row, gone]), stale=3, nodes_up=2, nodes=3, down=("node3",)
        )
        self.assertEqual(
            '{"time": 1700000000.123, "service": "default", "node": "node1", '
            '"hosts": {"current": 5, "max": 7}, '
            '"processes": {"current": 156, "max": 167, "stale": 3}, '
            '"connections": {"current": 586, "max": 1048}, '
            '"checkouts": {"current": 149, "max": 317, "per_second": 1421.3}, '
            '"programs": [{"hostname": "web1", "progname": "shop", '
            '"connected": true, "nproc": 8, "conn": 63, "ckout": 45, "maxnproc": 9, '
            '"maxconn": 66, "maxckout": 75, "ckoutpersec": 12.346, '
            '"stale": 3, "stale_seconds": 11.004}, '
            '{"hostname": "web2", "progname": "shop", '
            '"connected": false, "nproc": 0, "conn": 0, "ckout": 0, "maxnproc": 2, '
            '"maxconn": 30, "maxckout": 8, "ckoutpersec": null, '
            '"stale": 0, "stale_seconds": null}], '
            '"cluster": {"nodes": 3, "up": 2, "down": ["node3"]}}',
            as_json(frame, 1700000000.1234567),
        )

    def test_a_node_alone(self) -> None:
        """Without a cluster there is one node, and nothing is stale."""
        read = json.loads(as_json(a_frame(), 1.0))
        self.assertEqual({"nodes": 1, "up": 1, "down": []}, read["cluster"])
        self.assertEqual(0, read["processes"]["stale"])

    def test_the_nodes_view(self) -> None:
        """Every field, with its unit in its name."""
        frame = a_nodes_frame(three_nodes()[1:2], node="node1")
        self.assertEqual(
            '{"time": 2.0, "service": "default", "node": "node1", '
            '"nodes": [{"node": "node2", "address": "192.168.1.206:5800", '
            '"state": "up", "reason": "", "since_seconds": 259200.0, '
            '"heard_seconds": 0.4, "clients": 14, "consoles": 0, '
            '"agreed_seconds": 1.2, "lag_seconds": 0.00042, "bytes_sent": 1234567, '
            '"bytes_received": 45678, "messages_sent": 4321, '
            '"messages_received": 3210, "version": "3.0", "remarks": '
            '["its node list differs: node3 is at 192.168.1.217:5800 there"]}]}',
            as_json(frame, 2.0),
        )

    def test_names_are_verbatim_and_harmless(self) -> None:
        """A name is what was reported, and still no terminal is hurt by the line."""
        name = "a\x1b[2J\x9b\x7f\n日\ud800"
        line = as_json(a_frame([a_row(name)]), 1.0)
        self.assertTrue(line.isascii() and line.isprintable())
        self.assertEqual(name, json.loads(line)["programs"][0]["hostname"])

    @QUICK
    @given(NODES_FRAMES)
    def test_nodes_are_always_json(self, frame: NodesFrame) -> None:
        """So it is with nodes."""
        line = as_json(frame, 1.0)
        self.assertTrue(line.isascii() and line.isprintable())
        read = json.loads(line, parse_constant=self.fail)
        self.assertEqual(
            [(row.node, list(row.remarks)) for row in frame.nodes],
            [(row["node"], row["remarks"]) for row in read["nodes"]],
        )

    @QUICK
    @given(FRAMES)
    def test_always_json(self, frame: Frame) -> None:
        """Any frame is one line of strict JSON, without NaN."""

        def refuse(constant: str) -> None:
            self.fail(f"{constant} is no JSON")

        line = as_json(frame, 1.0)
        self.assertNotIn("\n", line)
        programs = json.loads(line, parse_constant=refuse)["programs"]
        self.assertEqual(
            [(row.hostname, row.maxckout) for row in frame.programs],
            [(row["hostname"], row["maxckout"]) for row in programs],
        )


class CsvTests(SynchronousTestCase):
    """``as_csv``: one line a program a tick."""

    def test_header(self) -> None:
        """The columns are the time and the fields of a program."""
        self.assertEqual(
            "time,hostname,progname,connected,nproc,conn,ckout,"
            "maxnproc,maxconn,maxckout,ckoutpersec,stale,stale_seconds\r\n",
            csv_header(a_frame()),
        )

    def test_rows(self) -> None:
        """Truth is 1 or 0, and what is not known is empty."""
        frame = a_frame([a_row(stale=2, stale_seconds=3.0), departed("web2", "shop")])
        self.assertEqual(
            "1.5,ctl1,nova-api,1,8,63,45,9,66,75,0.4,2,3.0\r\n"
            "1.5,web2,shop,0,0,0,0,2,30,8,,0,\r\n",
            as_csv(frame, 1.5),
        )

    def test_no_programs(self) -> None:
        """A tick without programs has no lines."""
        self.assertEqual("", as_csv(a_frame(), 1.5))

    def test_nodes(self) -> None:
        """A line a node; its remarks are one field."""
        row = a_node(reason="it, too", remarks=["one", "two"])
        frame = a_nodes_frame([row])
        self.assertEqual(
            "time,node,address,state,reason,since_seconds,heard_seconds,clients,"
            "consoles,agreed_seconds,lag_seconds,bytes_sent,bytes_received,"
            "messages_sent,messages_received,version,remarks\r\n",
            csv_header(frame),
        )
        self.assertEqual(
            '1.5,node1,192.168.1.205:5800,up,"it, too",190.0,0.0,5,1,,,0,0,0,0,3.0,'
            "one; two\r\n",
            as_csv(frame, 1.5),
        )

    def test_quoting(self) -> None:
        """Commas, quotes and line ends are quoted; a formula is left alone."""
        frame = a_frame([a_row('a,"b"\n', "=1+1")])
        self.assertEqual(
            '1.0,"a,""b""\n",=1+1,1,8,63,45,9,66,75,0.4,0,\r\n', as_csv(frame, 1.0)
        )

    @QUICK
    @given(FRAMES)
    def test_reads_back(self, frame: Frame) -> None:
        """Any frame can be written as UTF-8 and be read back, field by field."""
        text = (csv_header(frame) + as_csv(frame, 1.0)).encode("utf-8").decode("utf-8")
        text = text.replace("\0", "")  # which csv cannot read before Python 3.11
        read = list(csv.DictReader(io.StringIO(text, newline="")))
        self.assertEqual(len(frame.programs), len(read))
        for row, got in zip(frame.programs, read, strict=True):
            name = row.hostname.encode("utf-8", "replace").decode().replace("\0", "")
            self.assertEqual(name, got["hostname"])
            self.assertEqual(str(row.ckout), got["ckout"])
            rate = row.ckoutpersec
            known = rate is not None and math.isfinite(rate)
            self.assertEqual(known, got["ckoutpersec"] != "")


class TextTests(SynchronousTestCase):
    """``as_text``: to be read by people, through a pipe."""

    def test_a_tick(self) -> None:
        """A tick is a heading, the totals and the table, uncut."""
        rows = [
            a_row("ctl1", "keystone-wsgi-public"),
            departed("batch1", "etl"),
        ]
        self.assertEqual(
            [
                (
                    "Hosts 5 (max 7)  Processes 156 (max 167)"
                    "  Connections 586 (max 1048)  Checkouts 149 (max 317)  1421/s"
                ),
                (
                    "hostname progname             nproc conn ckout"
                    " maxnproc maxconn maxckout ckoutpersec"
                ),
                (
                    "ctl1     keystone-wsgi-public     8   63    45"
                    "        9      66       75         0.4"
                ),
                (
                    "batch1   etl                   gone    0     0"
                    "        2      30        8           -"
                ),
                "",
            ],
            as_text(a_frame(rows), 1700000000.0).split("\n")[1:],
        )

    def test_heading(self) -> None:
        """The heading says which service and node, and when."""
        heading = as_text(a_frame(), 1700000000.0).split("\n")[0]
        self.assertRegex(
            heading, r"^connmon default@node1  20\d\d-\d\d-\d\d \d\d:\d\d:\d\d$"
        )

    def test_stale(self) -> None:
        """Stale processes are told in totals and table, nodes in the heading."""
        frame = replace(
            a_frame([a_row(stale=3, stale_seconds=11.0), a_row("ctl2")]),
            stale=3,
            nodes_up=2,
            nodes=3,
            down=("node3",),
        )
        first, summary, names, one, two, _ = as_text(frame, 1.0).split("\n")
        self.assertTrue(first.endswith("  cluster 2/3 up (node3 down)"), first)
        self.assertIn("Processes 156 (max 167, stale 3)", summary)
        self.assertTrue(names.endswith(" ckoutpersec stale"), names)
        self.assertTrue(one.endswith("         0.4 3 11s"), one)
        self.assertTrue(two.endswith("         0.4"), two)

    def test_nodes(self) -> None:
        """Reasons and remarks are whole, the remarks on lines of their own."""
        nodes = three_nodes()
        text = as_text(a_nodes_frame(nodes), 1.0).split("\n")
        self.assertEqual(
            "Nodes 3 (2 up, 1 unreachable)  Clients 19  Consoles 1", text[1]
        )
        self.assertEqual("    " + nodes[1].remarks[0], text[5])
        self.assertTrue(text[6].endswith(nodes[2].reason), text[6])
        self.assertEqual(8, len(text))

    def test_blank_line_between_ticks(self) -> None:
        """A blank line comes before each tick but the first."""
        frame = a_frame()
        self.assertEqual("\n" + as_text(frame, 1.0), as_text(frame, 1.0, first=False))

    @QUICK
    @given(st.one_of(FRAMES, NODES_FRAMES))
    def test_harmless(self, frame: AnyFrame) -> None:
        """Any frame is printable lines without blanks at their ends."""
        for glyphs in (UNICODE, ASCII):
            text = as_text(frame, 1.0, glyphs=glyphs)
            lines = text.split("\n")
            if isinstance(frame, NodesFrame):
                rows = sum(1 + len(row.remarks) for row in frame.nodes)
            else:
                rows = len(frame.programs)
            self.assertEqual(4 + rows, len(lines))
            for line in lines:
                self.assertTrue(line.isprintable(), line)
                self.assertEqual(line.rstrip(), line)
            self.assertTrue(glyphs is UNICODE or text.isascii())
