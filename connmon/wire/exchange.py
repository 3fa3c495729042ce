"""What nodes tell each other, as payloads.

::

    alive       [1, [[home, seconds since it was heard] ...], clients, consoles]
    digest      [1, [[home, records, hash] ...], [hash of each bucket's maxima ...],
                 [[origin, newest remark] ...]]
    differences [1, [home ...], [bucket ...], [[origin, newest remark] ...] | nil]
    versions    [1, home, [[process, registration, sequence, state] ...]]
    wanted      [1, [process ...]]
    records     [1, [[identity, [registration, sequence, state], home, age, unheard,
                      report] ...]]
    identity    [process, hostname, program, pid]
    deltas      [1, [[process, registration, report] ...]]
    sums        [1, [hosts, peak, since], [[hostname, program, peak, since,
                 departed | nil, counters] ...]]
    remarks     [1, [[origin, number, node, age, text, severity, hostname, program,
                 pid | nil] ...]]
    home        [node, incarnation]
    peak        [processes, connections, checkouts]

A report, and its counters, are as ``connmon.wire.reports`` has them, a report as the
bytes of its payload. A state is 0 for lost, 1 for live, 2 for gone. Ages are seconds.
A severity is ``info``, ``warn`` or ``crit``; a reader takes any other for ``info``.
What was added later to a remark, from its severity on, may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from connmon.errors import ProtocolError
from connmon.model.exchange import (
    Alive,
    Delta,
    Differences,
    Digest,
    SumsTold,
    Versions,
)
from connmon.model.extent import Peak
from connmon.model.journal import INFO, SEVERITIES, Heads, Remark
from connmon.model.records import STANDINGS, Home, Identity, Record, Standing
from connmon.model.sums import ProgramSums, ServiceSums
from connmon.wire.commands import NAME_LIMIT, PROCESS_LIMIT, TEXT_LIMIT
from connmon.wire.fields import (
    FORMAT,
    array,
    blob,
    count,
    duration,
    optional_count,
    optional_duration,
    pack,
    text,
    unpack,
)
from connmon.wire.reports import decode_counters, decode_report, encode_report

#: What is not said of a remark by nodes that know less of it.
_UNSAID = (INFO, "", "", None)


def encode_alive(alive: Alive) -> bytes:
    """A heartbeat as a payload."""
    heard = [[home, age] for home, age in alive.heard.items()]
    return pack([FORMAT, heard, alive.clients, alive.consoles])


def decode_alive(payload: bytes) -> Alive:
    """A payload as a heartbeat, or ``ProtocolError``."""
    fields = unpack(payload, 4)
    heard = (array(each, 2) for each in array(fields[1]))
    return Alive(
        {_home(each[0]): duration(each[1]) for each in heard},
        count(fields[2]),
        count(fields[3]),
    )


def encode_digest(digest: Digest) -> bytes:
    """A digest as a payload."""
    homes = [[home, *each] for home, each in digest.homes.items()]
    return pack([FORMAT, homes, digest.hashes, list(digest.heads.items())])


def decode_digest(payload: bytes) -> Digest:
    """A payload as a digest, or ``ProtocolError``."""
    fields = unpack(payload, 4)
    homes = (array(each, 3) for each in array(fields[1]))
    return Digest(
        {_home(each[0]): (count(each[1]), count(each[2])) for each in homes},
        tuple(count(each) for each in array(fields[2])),
        _heads(fields[3]),
    )


def encode_differences(differences: Differences) -> bytes:
    """The answer to a digest as a payload."""
    heads = differences.heads
    return pack(
        [
            FORMAT,
            differences.homes,
            sorted(differences.buckets),
            None if heads is None else list(heads.items()),
        ]
    )


def decode_differences(payload: bytes) -> Differences:
    """A payload as the answer to a digest, or ``ProtocolError``."""
    fields = unpack(payload, 4)
    return Differences(
        tuple(_home(each) for each in array(fields[1])),
        frozenset(count(each) for each in array(fields[2])),
        None if fields[3] is None else _heads(fields[3]),
    )


def encode_versions(versions: Versions) -> bytes:
    """A home's list as a payload."""
    listed = [[token, *each] for token, each in versions.standings.items()]
    return pack([FORMAT, versions.home, listed])


def decode_versions(payload: bytes) -> Versions:
    """A payload as a home's list, or ``ProtocolError``."""
    fields = unpack(payload, 3)
    listed = (array(each, 4) for each in array(fields[2]))
    return Versions(
        _home(fields[1]),
        {text(each[0], PROCESS_LIMIT): _standing(each[1:]) for each in listed},
    )


def encode_wanted(processes: Iterable[str]) -> bytes:
    """Whose whole records are wanted, as a payload."""
    return pack([FORMAT, list(processes)])


def decode_wanted(payload: bytes) -> list[str]:
    """A payload as whose records are wanted, or ``ProtocolError``."""
    return [text(each, PROCESS_LIMIT) for each in array(unpack(payload, 2)[1])]


INCIDENTS_ROOM = 4 * 1024 * 1024
"""Bytes of reports past which whole records leave their incidents out.

Some hundred processes, each with hundreds who hold and wait, might else not fit into a
box. What is left out is known to others of the process's own node.
"""


def encode_records(records: Iterable[Record]) -> bytes:
    """Whole records as a payload."""
    listed: list[Any] = []
    used = 0
    for each in records:
        report = encode_report(each.report)
        if each.report.incidents and used + len(report) > INCIDENTS_ROOM:
            report = encode_report(replace(each.report, incidents=()))
        used += len(report)
        who = each.identity
        listed.append(
            [
                [who.process, who.hostname, who.program, who.pid],
                each.standing,
                each.home,
                each.age,
                each.unheard,
                report,
            ]
        )
    return pack([FORMAT, listed])


def decode_records(payload: bytes) -> tuple[Record, ...]:
    """A payload as whole records, or ``ProtocolError``."""
    return tuple(_record(each) for each in array(unpack(payload, 2)[1]))


def encode_deltas(deltas: Iterable[tuple[str, int, bytes]]) -> bytes:
    """Reports passed on (process, registration, payload), as a payload."""
    return pack([FORMAT, list(deltas)])


def decode_deltas(payload: bytes) -> tuple[Delta, ...]:
    """A payload as reports passed on, or ``ProtocolError``."""
    listed = (array(each, 3) for each in array(unpack(payload, 2)[1]))
    return tuple(
        Delta(
            text(each[0], PROCESS_LIMIT), count(each[1]), decode_report(blob(each[2]))
        )
        for each in listed
    )


def encode_sums(told: SumsTold) -> bytes:
    """Maxima as a payload."""
    service = told.service
    programs = [
        [
            each.hostname,
            each.progname,
            each.peak,
            each.since,
            each.departed,
            each.earlier,
        ]
        for each in told.programs
    ]
    return pack([FORMAT, [service.hosts, service.peak, service.since], programs])


def decode_sums(payload: bytes) -> SumsTold:
    """A payload as maxima, or ``ProtocolError``."""
    fields = unpack(payload, 3)
    service = array(fields[1], 3)
    return SumsTold(
        ServiceSums(count(service[0]), _peak(service[1]), duration(service[2])),
        tuple(_program(each) for each in array(fields[2])),
    )


def encode_remarks(remarks: Iterable[Remark]) -> bytes:
    """Pages of the journal as a payload; what is too long is cut."""
    return pack(
        [
            FORMAT,
            [
                [
                    each.origin,
                    each.sequence,
                    each.node,
                    each.age,
                    each.text[:TEXT_LIMIT],
                    each.severity,
                    each.hostname[:NAME_LIMIT],
                    each.progname[:NAME_LIMIT],
                    each.pid,
                ]
                for each in remarks
            ],
        ]
    )


def decode_remarks(payload: bytes) -> tuple[Remark, ...]:
    """A payload as pages of the journal, or ``ProtocolError``."""
    return tuple(_remark(each) for each in array(unpack(payload, 2)[1]))


def _home(value: Any) -> Home:
    fields = array(value, 2)
    return Home(text(fields[0], NAME_LIMIT), text(fields[1], NAME_LIMIT))


def _standing(value: Any) -> Standing:
    fields = array(value, 3)
    standing = Standing(*(count(each) for each in fields[:3]))
    if standing.state not in STANDINGS:
        raise ProtocolError(f"a process in state {standing.state}")
    return standing


def _record(value: Any) -> Record:
    fields = array(value, 6)
    who = array(fields[0], 4)
    standing = _standing(fields[1])
    report = decode_report(blob(fields[5]))
    if report.base is not None or report.sequence != standing.sequence:
        raise ProtocolError("a record that is not whole")
    return Record(
        Identity(
            text(who[0], PROCESS_LIMIT),
            text(who[1], NAME_LIMIT),
            text(who[2], NAME_LIMIT),
            count(who[3]),
        ),
        standing,
        _home(fields[2]),
        duration(fields[3]),
        duration(fields[4]),
        report,
    )


def _program(value: Any) -> ProgramSums:
    fields = array(value, 6)
    return ProgramSums(
        text(fields[0], NAME_LIMIT),
        text(fields[1], NAME_LIMIT),
        _peak(fields[2]),
        duration(fields[3]),
        optional_duration(fields[4]),
        decode_counters(fields[5]),
    )


def _remark(value: Any) -> Remark:
    fields = array(value, 5)
    fields += _UNSAID[len(fields) - 5 :]
    severity = text(fields[5], NAME_LIMIT)
    return Remark(
        text(fields[0], NAME_LIMIT),
        count(fields[1]),
        text(fields[2], NAME_LIMIT),
        duration(fields[3]),
        text(fields[4], TEXT_LIMIT),
        next((each for each in SEVERITIES if each == severity), INFO),
        text(fields[6], NAME_LIMIT),
        text(fields[7], NAME_LIMIT),
        optional_count(fields[8]),
    )


def _peak(value: Any) -> Peak:
    return Peak(*(count(each) for each in array(value, 3)[:3]))


def _heads(value: Any) -> Heads:
    listed = (array(each, 2) for each in array(value))
    return {text(each[0], NAME_LIMIT): count(each[1]) for each in listed}
