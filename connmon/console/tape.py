"""A recording: pictures, each with the moment it was taken, in one file on a disk.

The file is an ordinary gzip file of lines, so ``zcat`` shows it. Each line is a gzip
member of its own, and each member's header tells, in a subfield of the kind that gzip
leaves to others, how long the member is and when its picture was taken::

    1f 8b 08 04  00 00 00 00  00 ff     gzip, deflate, FEXTRA; no time, no system
    14 00                               XLEN, 20
    "CH" or "CP", 10 00                 the subfield: the head, or a picture; 16 bytes
    length, u64                         of the member, these 32 bytes and all
    time, f64                           unix seconds, a finite number
    ... deflate, CRC32, ISIZE           the line

all of it little-endian. The first member is the head, and its line a JSON object with
at least ``"connmon": "recording"`` and ``"version": 1``; its time is when the recording
was begun. Every other line is a picture, and what it says is the viewer's business. A
head further on is passed over, so recordings joined by ``cat`` are a recording.

That is why a file may be cut off anywhere: what was complete before is read. And an
index of it is made by going from header to header, without unpacking a picture.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import stat
import struct
import time as clocks
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from connmon.errors import ConfigError, ConnmonError, OutOfTurn
from connmon.wording import printable

VERSION = 1
"""The format described above."""

LINE_LIMIT = 256 * 1024 * 1024
"""The most bytes of one line."""

_HEAD, _PICTURE = b"CH", b"CP"
_HEAD_LIMIT = 65536
_MAGIC = b"\x1f\x8b\x08\x04"
_LEAD = struct.Struct("<4sIBBH2sHQd")
_TRAILER = struct.Struct("<II")
_SHORTEST = _LEAD.size + 2 + _TRAILER.size
_GROWTH = 65536
"""Bytes, and each 256th, by which what does not compress may grow."""

_EXPECTED = "expected a recording made with --record"


class Damaged(ConfigError):
    """A picture that cannot be read; the text says where it is and why."""


class _Lead(NamedTuple):
    """What a member's header tells."""

    kind: bytes
    length: int
    time: float


class Recording:
    """Reads a recording, also one that is still growing.

    In memory there are three numbers for each picture, and no picture.
    """

    def __init__(self, path: str, limit: int = LINE_LIMIT) -> None:
        """Open the file and note where its pictures are; lines are up to ``limit``.

        ``ConfigError`` if it cannot be read or is something else.
        """
        self._name = _named(path)
        self._limit = limit
        #: When each picture was taken, unix seconds. Clocks may go back: the order is
        #: that of the file.
        self.times: array[float] = array("d")
        #: The latest time up to each picture: never goes back, so it can be searched.
        self.latest: array[float] = array("d")
        self._offsets = array("Q")
        self._broken = ""
        self._members = _Members(limit)
        self._fd = _open_to_read(path)
        try:
            _check_head(self._fd, self._name)
            self.refresh()
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        """How many whole pictures there are."""
        return len(self._offsets)

    @property
    def damage(self) -> str:
        """What is wrong with the file, in words, or nothing.

        Either its pictures end before the file does, or one was found that cannot be
        read. While the file is being written, its last picture may seem cut off until
        the next ``refresh``.
        """
        words = self._members.damage or self._broken
        return words and f"{self._name}: {words}"

    def picture(self, index: int) -> tuple[float, bytes]:
        """When a picture was taken, and its line, without the line's end.

        ``Damaged`` if it cannot be read: the others may well be. ``IndexError`` if
        there is no such picture.
        """
        offset = self._offsets[index]
        try:
            return self.times[index], _line(self._fd, offset, self._limit)
        except (OSError, ValueError, zlib.error) as error:
            words = f"the picture at byte {offset} is damaged: {_reason(error)}"
            self._broken = self._broken or words
            raise Damaged(f"{self._name}: {words}") from error

    def find(self, time: float) -> int:
        """The last picture taken at or before ``time``, or else the first.

        If the clock went back meanwhile: the last one before it first passed ``time``.
        """
        return max(bisect_right(self.latest, time) - 1, 0)

    def refresh(self) -> int:
        """Take in what was added to the file since; how many pictures that is."""
        before = len(self)
        latest = self.latest[-1] if before else -math.inf
        for offset, lead in self._members.walk(self._fd):
            if lead.kind == _PICTURE:
                latest = max(latest, lead.time)
                self.times.append(lead.time)
                self.latest.append(latest)
                self._offsets.append(offset)
        return len(self) - before

    def close(self) -> None:
        """Let go of the file; nothing can be read afterwards."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Recorder:
    """Writes a recording: a new file, the rest of one begun earlier, or a pipe.

    A picture is in the file as a whole or not at all, unless we are killed while it is
    written, or the file cannot be made shorter after that failed. Writing waits for the
    disk, and for the reader of a pipe.
    """

    def __init__(
        self,
        path: str,
        clock: Callable[[], float] = clocks.time,
        limit: int = LINE_LIMIT,
    ) -> None:
        """Open the file; a recording that is there is continued, a cut end taken away.

        ``clock`` tells unix time. ``ConfigError`` if it cannot be written, if it is
        something else or damaged, which it stays, or if another records to it now;
        ``ConnmonError`` if there is no room for the beginning.
        """
        self._name = _named(path)
        self._limit = limit
        #: Where the next picture goes; ``None`` in a pipe.
        self._end: int | None = None
        self._fd = _open_to_write(path)
        try:
            self._begin(clock())
        except BaseException:
            self.close()
            raise

    @property
    def closed(self) -> bool:
        """Whether nothing more is recorded."""
        return self._fd < 0

    def record(self, time: float, line: bytes) -> None:
        """Write a picture taken at ``time``, unix seconds; ``line`` is without its end.

        ``ConnmonError`` if that fails. It is raised once, for the recording ends by it:
        whatever comes later is dropped, as it is after ``close``.
        """
        if self.closed:
            return
        if not math.isfinite(time):
            raise OutOfTurn(f"a picture was taken at {time}, expected unix seconds")
        if len(line) > self._limit:
            self._fail(f"a picture has {len(line)} bytes, expected up to {self._limit}")
        self._write(_member(_PICTURE, time, line))

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _begin(self, now: float) -> None:
        head = _member(_HEAD, now, _head_line())
        if stat.S_ISREG(os.fstat(self._fd).st_mode):
            _lock(self._fd, self._name)
            self._end = _end_of_whole(self._fd, self._name, head, self._limit)
            os.ftruncate(self._fd, self._end)
        elif os.isatty(self._fd):
            raise ConfigError(f"{self._name} is a terminal, expected a file or a pipe")
        if not self._end:
            self._write(head)

    def _write(self, member: bytes) -> None:
        left = memoryview(member)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as error:
            self._fail(_reason(error), error)
        if self._end is not None:
            self._end += len(member)

    def _fail(self, reason: str, error: OSError | None = None) -> None:
        if self._end is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._end)
        self.close()
        raise ConnmonError(f"cannot record to {self._name}: {reason}") from error


class _Members:
    """The members of a file, found by going from header to header."""

    def __init__(self, limit: int) -> None:
        self._longest = _longest(limit)
        #: Where the last whole member ends.
        self.end = 0
        #: Why nothing behind ``end`` can be used; empty at the end of the file.
        self.damage = ""
        #: Whether that is because the file was cut off.
        self.torn = False

    def walk(self, fd: int) -> Iterator[tuple[int, _Lead]]:
        """Where each member behind ``end`` begins, and what its header tells."""
        self.damage, self.torn = "", False
        try:
            size = os.fstat(fd).st_size
            while self.end < size:
                raw = os.pread(fd, _LEAD.size, self.end)
                lead = _lead(raw)
                left = size - self.end
                if lead is None or lead.length > min(left, self._longest):
                    self._stop(raw, lead, left)
                    return
                self.end += lead.length
                yield self.end - lead.length, lead
        except OSError as error:
            self.damage = f"cannot be read from byte {self.end} on: {_reason(error)}"

    def _stop(self, raw: bytes, lead: _Lead | None, left: int) -> None:
        """Tell why what is ``left`` cannot be used: cut off, or no member at all."""
        if lead is None:
            self.torn = left < _LEAD.size and _MAGIC.startswith(raw[: len(_MAGIC)])
        else:
            self.torn = lead.length <= self._longest
        self.damage = (
            f"cut off at byte {self.end + left}, the last picture is not whole"
            if self.torn
            else f"damaged at byte {self.end}, nothing behind it can be used"
        )


def _member(kind: bytes, time: float, line: bytes) -> bytes:
    line += b"\n"
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(line) + packer.flush()
    length = _LEAD.size + len(packed) + _TRAILER.size
    lead = _LEAD.pack(_MAGIC, 0, 0, 255, 20, kind, 16, length, time)
    return lead + packed + _TRAILER.pack(zlib.crc32(line), len(line))


def _lead(raw: bytes) -> _Lead | None:
    """What a header tells, unless it is none of ours."""
    if len(raw) < _LEAD.size:
        return None
    magic, _, _, _, extra, kind, size, length, time = _LEAD.unpack_from(raw)
    if (magic, extra, size) != (_MAGIC, 20, 16) or kind not in (_HEAD, _PICTURE):
        return None
    if length < _SHORTEST or not math.isfinite(time):
        return None
    return _Lead(kind, length, time)


def _line(fd: int, offset: int, limit: int) -> bytes:
    """The line of a member; ``OSError``, ``ValueError``, ``zlib.error`` if damaged."""
    lead = _lead(os.pread(fd, _LEAD.size, offset))
    if lead is None or lead.length > _longest(limit):
        raise ValueError("its header is not as it was")
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    # One byte for the line's end, and one that tells whether there is too much.
    line = unpacker.decompress(os.pread(fd, lead.length, offset), limit + 2)
    if len(line) > limit + 1:
        raise ValueError(f"it unpacks to more than {limit} bytes")
    if not unpacker.eof or unpacker.unused_data or not line.endswith(b"\n"):
        raise ValueError("it is not one whole line")
    return line[:-1]


def _longest(limit: int) -> int:
    """The most bytes of a member whose line has up to ``limit``."""
    return limit + limit // 256 + _GROWTH


def _head_line() -> bytes:
    return json.dumps({"connmon": "recording", "version": VERSION}).encode()


def _check_head(fd: int, name: str) -> None:
    """``ConfigError`` unless a file begins as a recording that can be read."""
    try:
        lead = _lead(os.pread(fd, _LEAD.size, 0))
        if lead is None or lead.kind != _HEAD:
            raise ConfigError(f"{name} is no recording of connmon, {_EXPECTED}")
        head = json.loads(_line(fd, 0, _HEAD_LIMIT))
    except (OSError, ValueError, zlib.error, RecursionError) as error:
        raise ConfigError(
            f"{name}: the beginning cannot be read ({_reason(error)}), {_EXPECTED}"
        ) from error
    if not isinstance(head, dict) or head.get("connmon") != "recording":
        raise ConfigError(f"{name} is no recording of connmon, {_EXPECTED}")
    version = head.get("version")
    if type(version) is not int or version < 1:
        raise ConfigError(f"{name} is no recording of connmon, {_EXPECTED}")
    if version > VERSION:
        raise ConfigError(
            f"{name} is a recording in format {version}, expected format {VERSION}: "
            "a newer connmon made it"
        )


def _end_of_whole(fd: int, name: str, head: bytes, limit: int) -> int:
    """Where the whole pictures of a file end, so that more can follow.

    0 if it is empty or not even its ``head`` was completed. ``ConfigError`` if it is
    something else, or damaged otherwise than by having been cut off.
    """
    begun = os.pread(fd, len(head), 0)
    until_time = _LEAD.size - 8
    if len(begun) < len(head) and head[:until_time].startswith(begun[:until_time]):
        return 0
    _check_head(fd, name)
    members = _Members(limit)
    for _ in members.walk(fd):
        pass
    if members.damage and not members.torn and not _only_zeros(fd, members.end):
        raise ConfigError(
            f"{name}: {members.damage}, expected a whole recording or a new file"
        )
    return members.end


def _only_zeros(fd: int, offset: int) -> bool:
    """Whether nothing else follows: so a file may end when the machine lost power."""
    if os.fstat(fd).st_size - offset > LINE_LIMIT:
        return False
    while block := os.pread(fd, 1 << 20, offset):
        if block.count(0) < len(block):
            return False
        offset += len(block)
    return True


def _open_to_read(path: str) -> int:
    try:
        # A pipe without a writer must not hold us up before we can refuse it.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read {_named(path)}: {_reason(error)}, {_EXPECTED}"
        ) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise ConfigError(
            f"{_named(path)} is no file that one can jump in, {_EXPECTED}"
        )
    return fd


def _open_to_write(path: str) -> int:
    """Open a file to read and write, anything else to write only."""
    try:
        try:
            regular = stat.S_ISREG(os.stat(path).st_mode)
        except FileNotFoundError:
            regular = True
        if regular:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        return os.open(path, os.O_WRONLY | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot record to {_named(path)}: {_reason(error)}, "
            "expected a file that can be written, or a pipe"
        ) from error


def _lock(fd: int, name: str) -> None:
    """``ConfigError`` if another records to the file; the lock ends with ``fd``."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(
            f"{name}: another connmon records to it, expected a file of its own"
        ) from None
    except OSError as error:
        # Some network file systems have no locks; a recording is worth more than them.
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise ConfigError(f"cannot lock {name}: {_reason(error)}") from error


def _named(path: str) -> str:
    """A path as a message shows it."""
    return printable(path) or repr(path)


def _reason(error: BaseException) -> str:
    """The system's words for an error that is the system's."""
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
