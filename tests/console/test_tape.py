"""Tests of recordings: what is written, what a cut or damaged file still gives."""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import pty
import resource
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.tape import VERSION, Damaged, Recorder, Recording
from connmon.errors import ConfigError, ConnmonError, OutOfTurn

QUICK = settings(deadline=None, max_examples=100, database=None)

Picture = tuple[float, bytes]

TIMES = st.floats(allow_nan=False, allow_infinity=False)
PICTURES = st.lists(st.tuples(TIMES, st.binary(max_size=60)), max_size=8)

THREE: list[Picture] = [(100.0, b'{"a":1}'), (101.5, b"{}"), (102.0, b'{"b":"xyz"}')]


def member(
    line: bytes, kind: bytes = b"CP", time: float = 5.0, length: int | None = None
) -> bytes:
    """A member made as the format is described, independently of who writes it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(line) + packer.flush()
    whole = 12 + 4 + 16 + len(packed) + 8
    return (
        bytes([0x1F, 0x8B, 8, 4, 0, 0, 0, 0, 0, 255])
        + struct.pack("<H2sH", 20, kind, 16)
        + struct.pack("<Qd", whole if length is None else length, time)
        + packed
        + struct.pack("<II", zlib.crc32(line), len(line))
    )


HEAD = member(b'{"connmon": "recording", "version": 1}\n', b"CH")


@contextlib.contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let no file of ours grow beyond ``size``, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TapeTestCase(SynchronousTestCase):
    """A file to record to, and what is often done with it."""

    def setUp(self) -> None:
        """A path where nothing is yet."""
        self.path = self.mktemp()

    def recorder(self, path: str | None = None) -> Recorder:
        """A recorder, closed in the end."""
        recorder = Recorder(path or self.path, lambda: 99.0)
        self.addCleanup(recorder.close)
        return recorder

    def record(self, pictures: list[Picture]) -> list[int]:
        """Record in one session; the file's size at first and after each picture."""
        recorder = Recorder(self.path, lambda: 99.0)
        sizes = [os.path.getsize(self.path)]
        for time, line in pictures:
            recorder.record(time, line)
            sizes.append(os.path.getsize(self.path))
        recorder.close()
        return sizes

    def recording(self, limit: int | None = None) -> Recording:
        """A reader of the file, closed in the end."""
        recording = (
            Recording(self.path) if limit is None else Recording(self.path, limit)
        )
        self.addCleanup(recording.close)
        return recording

    def pictures(self) -> list[Picture]:
        """All pictures of the file."""
        recording = Recording(self.path)
        try:
            return [recording.picture(index) for index in range(len(recording))]
        finally:
            recording.close()

    def write(self, content: bytes) -> None:
        """Put this into the file, and nothing else."""
        Path(self.path).write_bytes(content)

    def content(self) -> bytes:
        """What is in the file."""
        return Path(self.path).read_bytes()

    def refused(self, content: bytes) -> str:
        """What is said of such a file when it shall be read."""
        self.write(content)
        return str(self.assertRaises(ConfigError, Recording, self.path))

    def refused_to_record(self) -> str:
        """What is said when one shall record to the file, which is left as it is."""
        before = self.content()
        said = str(self.assertRaises(ConfigError, Recorder, self.path))
        self.assertEqual(before, self.content())
        return said


class FormatTests(TapeTestCase):
    """The file is what its description says, both ways."""

    def test_written_as_described(self) -> None:
        """Each byte of a header is where other programs may look for it."""
        sizes = self.record(THREE)
        content = self.content()
        for begin, end, kind, time in (
            (0, sizes[0], b"CH", 99.0),
            (sizes[0], sizes[1], b"CP", 100.0),
            (sizes[1], sizes[2], b"CP", 101.5),
            (sizes[2], sizes[3], b"CP", 102.0),
        ):
            self.assertEqual(
                bytes([0x1F, 0x8B, 8, 4, 0, 0, 0, 0, 0, 255])
                + struct.pack("<H2sHQd", 20, kind, 16, end - begin, time),
                content[begin : begin + 32],
            )

    def test_read_as_described(self) -> None:
        """A file that another program made by the description is a recording."""
        self.write(HEAD + member(b"one\n", time=1.0) + member(b"two\n", time=2.0))
        self.assertEqual([(1.0, b"one"), (2.0, b"two")], self.pictures())

    def test_shown_by_zcat(self) -> None:
        """To gzip it is a file of lines, the first of which says what it is."""
        self.record(THREE)
        head, *lines, end = gzip.decompress(self.content()).split(b"\n")
        self.assertEqual({"connmon": "recording", "version": VERSION}, json.loads(head))
        self.assertEqual(([line for _, line in THREE], b""), (lines, end))

    def test_joined_by_cat(self) -> None:
        """Two recordings one after the other are one."""
        self.record(THREE)
        self.write(self.content() * 2)
        self.assertEqual(THREE * 2, self.pictures())

    def test_more_in_the_head(self) -> None:
        """What the head may say besides is nobody's business yet."""
        line = b'{"version": 1, "x": [2], "connmon": "recording"}\n'
        self.write(member(line, b"CH") + member(b"one\n"))
        self.assertEqual([(5.0, b"one")], self.pictures())

    @QUICK
    @given(PICTURES)
    def test_round_trip(self, pictures: list[Picture]) -> None:
        """Whatever was recorded is read, byte for byte and to the last bit of time."""
        self.path = self.mktemp()
        self.record(pictures)
        self.assertEqual(pictures, self.pictures())


class RecordingTests(TapeTestCase):
    """Reading: the index, single pictures, and a file that grows."""

    def test_no_pictures_yet(self) -> None:
        """A recording just begun is a recording."""
        self.record([])
        recording = self.recording()
        self.assertEqual((0, []), (len(recording), list(recording.times)))
        self.assertEqual("", recording.damage)
        self.assertRaises(IndexError, recording.picture, 0)

    def test_any_picture(self) -> None:
        """Pictures are read in any order, each by itself."""
        self.record(THREE)
        recording = self.recording()
        for index in (2, 0, 1, 2, -1):
            self.assertEqual(THREE[index], recording.picture(index))
        self.assertEqual([time for time, _ in THREE], list(recording.times))
        self.assertRaises(IndexError, recording.picture, 3)

    def test_the_index_needs_no_unpacking(self) -> None:
        """Opening a file looks at nothing but headers: here nothing else is right."""
        sizes = self.record(THREE)
        content = bytearray(self.content())
        for begin, end in pairwise(sizes):
            content[begin + 32 : end] = b"\xff" * (end - begin - 32)
        self.write(bytes(content))
        recording = self.recording()
        self.assertEqual([100.0, 101.5, 102.0], list(recording.times))
        self.assertEqual("", recording.damage)

    def test_find(self) -> None:
        """The last picture at or before a time; the first if all are later."""
        self.record([(10.0, b""), (20.0, b""), (20.0, b""), (30.0, b"")])
        recording = self.recording()
        for time, index in (
            (9, 0),
            (10, 0),
            (19.9, 0),
            (20, 2),
            (29, 2),
            (30, 3),
            (99, 3),
        ):
            self.assertEqual(index, recording.find(time), time)

    def test_find_where_the_clock_went_back(self) -> None:
        """The order is that of the file, and a later picture is found later."""
        self.record([(t, b"") for t in (10.0, 11.0, 5.0, 6.0, 12.0)])
        recording = self.recording()
        self.assertEqual([10.0, 11.0, 5.0, 6.0, 12.0], list(recording.times))
        self.assertEqual([10.0, 11.0, 11.0, 11.0, 12.0], list(recording.latest))
        for time, index in ((4, 0), (7, 0), (10, 0), (11, 3), (12, 4)):
            self.assertEqual(index, recording.find(time), time)

    def test_find_in_nothing(self) -> None:
        """Without pictures the answer is the place where the first one will be."""
        self.record([])
        self.assertEqual(0, self.recording().find(5.0))

    def test_growing(self) -> None:
        """What is recorded meanwhile is taken in when asked for."""
        recorder = self.recorder()
        recording = self.recording()
        for count, (time, line) in enumerate(THREE, 1):
            recorder.record(time, line)
            self.assertEqual(count - 1, len(recording))
            self.assertEqual(1, recording.refresh())
            self.assertEqual((time, line), recording.picture(count - 1))
            self.assertEqual(0, recording.refresh())
        self.assertEqual([100.0, 101.5, 102.0], list(recording.latest))
        self.assertEqual("", recording.damage)

    def test_growing_byte_by_byte(self) -> None:
        """A picture counts when its last byte is there, and until then it looks cut."""
        sizes = self.record(THREE)
        content = self.content()
        self.write(content[: sizes[0]])
        recording = self.recording()
        for size in range(sizes[0], len(content) + 1):
            self.write(content[:size])
            recording.refresh()
            whole = sum(end <= size for end in sizes[1:])
            self.assertEqual(whole, len(recording))
            self.assertEqual(size not in sizes, "cut off" in recording.damage)

    def test_closed(self) -> None:
        """Nothing is read after that, nor from the file that has the number now."""
        self.record(THREE)
        recording = self.recording()
        recording.close()
        recording.close()
        other = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, other)
        self.assertEqual(0, recording.refresh())
        self.assertIn("cannot be read", recording.damage)
        self.assertRaises(Damaged, recording.picture, 0)


class RefusedTests(TapeTestCase):
    """What is no recording is refused, in words that name the file."""

    def test_something_else(self) -> None:
        """Text, gzip of ours or others, and nothing at all."""
        for content in (
            b"",
            b"host,program\n",
            bytes(100),
            gzip.compress(b'{"connmon": "recording", "version": 1}\n'),
            member(b'{"connmon": "recording", "version": 1}\n'),
            member(b'{"connmon": "frame", "version": 1}\n', b"CH"),
            member(b'{"connmon": "recording"}\n', b"CH"),
            member(b'{"connmon": "recording", "version": "1"}\n', b"CH"),
            member(b'{"connmon": "recording", "version": true}\n', b"CH"),
            member(b'{"connmon": "recording", "version": 0}\n', b"CH"),
            member(b"[]\n", b"CH"),
            member(b"\xff\n", b"CH"),
            member(b"[" * 60000 + b"\n", b"CH"),
            member(b" " * 70000 + b"{}\n", b"CH"),
        ):
            said = self.refused(content)
            self.assertIn(self.path, said)
            self.assertIn("expected a recording made with --record", said)
            if content:
                self.assertIn(self.path, self.refused_to_record())

    def test_a_newer_format(self) -> None:
        """It says so: the remedy is another connmon."""
        content = member(b'{"connmon": "recording", "version": 2}\n', b"CH")
        said = f"{self.path} is a recording in format 2, expected format 1"
        self.assertIn(said, self.refused(content))
        self.assertIn(said, self.refused_to_record())

    def test_no_file(self) -> None:
        """The system's words, without its number."""
        for path in (self.path, "", "a\0b", "x" * 5000):
            said = str(self.assertRaises(ConfigError, Recording, path))
            self.assertIn("cannot read", said)
            self.assertIn("expected a recording", said)
            self.assertNotIn("Errno", said)
            self.assertNotIn("\0", said)

    def test_what_cannot_be_jumped_in(self) -> None:
        """A pipe is refused at once, with a writer or without; so is a directory."""
        os.mkfifo(self.path)
        for path in (self.path, ".", "/dev/null"):
            said = str(self.assertRaises(ConfigError, Recording, path))
            self.assertIn("is no file that one can jump in", said)

    def test_refusing_leaves_nothing_open(self) -> None:
        """A file that is refused is closed."""
        self.write(b"something else")
        before = os.listdir("/dev/fd")
        self.assertRaises(ConfigError, Recording, self.path)
        self.assertRaises(ConfigError, Recorder, self.path)
        self.assertEqual(before, os.listdir("/dev/fd"))


class CutTests(TapeTestCase):
    """A file may end anywhere."""

    def test_cut_at_every_byte(self) -> None:
        """All that was complete before is read, and the cut is told in words."""
        sizes = self.record(THREE)
        content = self.content()
        for size in range(sizes[0], len(content) + 1):
            self.write(content[:size])
            whole = sum(end <= size for end in sizes[1:])
            self.assertEqual(THREE[:whole], self.pictures())
            said = f"{self.path}: cut off at byte {size}, the last picture is not whole"
            self.assertEqual(
                "" if size in sizes else said, self.recording().damage, size
            )

    def test_cut_within_the_head(self) -> None:
        """Then there is nothing to read yet; it can be recorded to all the same."""
        self.record([])
        content = self.content()
        for size in range(len(content)):
            self.assertIn(self.path, self.refused(content[:size]))
            self.record(THREE)
            self.assertEqual(THREE, self.pictures())

    def test_go_on_after_a_cut_at_every_byte(self) -> None:
        """The part of a picture is taken away, and new ones follow the whole ones."""
        sizes = self.record(THREE)
        content = self.content()
        for size in range(sizes[0], len(content) + 1):
            self.write(content[:size])
            self.record([(200.0, b"new")])
            whole = sum(end <= size for end in sizes[1:])
            self.assertEqual([*THREE[:whole], (200.0, b"new")], self.pictures())
            self.assertEqual("", self.recording().damage)

    @QUICK
    @given(st.lists(st.tuples(PICTURES, st.integers(0, 300)), max_size=5))
    def test_sessions(self, sessions: list[tuple[list[Picture], int]]) -> None:
        """However often it was cut and gone on with, what was whole is there."""
        self.path = self.mktemp()
        kept: list[tuple[int, Picture]] = []
        begun = self.record([])[0]
        for pictures, cut in sessions:
            ends = self.record(pictures)[1:]
            kept += zip(ends, pictures, strict=True)
            size = max(begun, os.path.getsize(self.path) - cut)
            os.truncate(self.path, size)
            kept = [(end, picture) for end, picture in kept if end <= size]
            self.assertEqual([picture for _, picture in kept], self.pictures())

    def test_power_loss(self) -> None:
        """An end of nothing but zeros is a cut: it is recorded over."""
        self.record(THREE)
        self.write(self.content() + bytes(5000))
        self.assertEqual(THREE, self.pictures())
        self.assertIn("damaged at byte", self.recording().damage)
        self.record([(200.0, b"new")])
        self.assertEqual([*THREE, (200.0, b"new")], self.pictures())


class DamageTests(TapeTestCase):
    """A damaged file gives what it can, and never more than an error in words."""

    def read(self) -> None:
        """Read all that there is, of which nothing need be readable."""
        with contextlib.suppress(ConfigError):
            recording = Recording(self.path)
            try:
                for index in range(len(recording)):
                    with contextlib.suppress(Damaged):
                        recording.picture(index)
                recording.find(100.0)
                recording.refresh()
                self.assertIsInstance(recording.damage, str)
            finally:
                recording.close()

    def test_a_damaged_picture(self) -> None:
        """It cannot be read, which is told; those around it can."""
        sizes = self.record(THREE)
        content = bytearray(self.content())
        content[sizes[2] - 6] ^= 1  # in the checksum of the second one
        self.write(bytes(content))
        recording = self.recording()
        self.assertEqual("", recording.damage)
        self.assertEqual(THREE[0], recording.picture(0))
        error = self.assertRaises(Damaged, recording.picture, 1)
        self.assertEqual(THREE[2], recording.picture(2))
        said = f"{self.path}: the picture at byte {sizes[1]} is damaged: "
        self.assertTrue(str(error).startswith(said), str(error))
        self.assertEqual(str(error), recording.damage)

    def test_a_damaged_header(self) -> None:
        """All before it is read, and where that ends is told."""
        sizes = self.record(THREE)
        content = bytearray(self.content())
        content[sizes[1] + 1] ^= 1
        self.write(bytes(content))
        self.assertEqual(THREE[:1], self.pictures())
        said = f"damaged at byte {sizes[1]}, nothing behind it can be used"
        self.assertEqual(f"{self.path}: {said}", self.recording().damage)

    def test_it_is_not_recorded_over(self) -> None:
        """What is behind a damaged header may be dear to somebody."""
        sizes = self.record(THREE)
        content = bytearray(self.content())
        content[sizes[1] + 1] ^= 1
        self.write(bytes(content))
        self.assertIn(f"damaged at byte {sizes[1]}", self.refused_to_record())
        self.write(HEAD + member(b"one\n") + b"something")
        self.assertIn("expected a whole recording", self.refused_to_record())

    def test_impossible_members(self) -> None:
        """Lengths and times that no recorder writes end the recording."""
        for bad in (
            member(b"x\n", length=0),
            member(b"x\n", length=41),
            member(b"x\n", length=2**64 - 1),
            member(b"x\n", length=2**32),
            member(b"x\n", time=float("nan")),
            member(b"x\n", time=float("inf")),
            member(b"x\n", kind=b"BC"),
        ):
            self.write(HEAD + member(b"one\n") + bad)
            self.assertEqual([(5.0, b"one")], self.pictures())
            self.assertIn("damaged at byte", self.recording().damage)

    def test_deceitful_members(self) -> None:
        """A length that is not the member's, or a line that is none, is damage."""
        for bad in (
            member(b"no line's end"),
            member(b""),
            member(b"x\n")[:-8] + bytes(8),
            member(b"x\n", length=len(member(b"x\n")) + 3) + b"abc",
            member(b"x\n", length=len(member(b"x\n")) - 1)[:-1],
        ):
            self.write(HEAD + bad)
            recording = self.recording()
            self.assertEqual(1, len(recording))
            self.assertRaises(Damaged, recording.picture, 0)

    def test_a_bomb(self) -> None:
        """No picture is unpacked beyond the limit, and up to it each is."""
        self.write(HEAD + member(bytes(1000) + b"\n") + member(bytes(10**6) + b"\n"))
        recording = self.recording(limit=1000)
        self.assertEqual((5.0, bytes(1000)), recording.picture(0))
        error = self.assertRaises(Damaged, recording.picture, 1)
        self.assertIn("more than 1000 bytes", str(error))
        self.assertRaises(Damaged, self.recording(limit=999).picture, 0)

    def test_a_bomb_takes_no_memory(self) -> None:
        """Beyond the limit nothing is unpacked at all, for a picture or the head."""
        bomb = bytes(2 * 10**7) + b"\n"
        self.write(HEAD + member(bomb))
        recording = self.recording(limit=1000)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertRaises(Damaged, recording.picture, 0)
        self.refused(member(bomb, b"CH"))
        self.assertLess(tracemalloc.get_traced_memory()[1], len(bomb) // 4)

    def test_a_file_of_holes(self) -> None:
        """A huge file that is all hole behind a header is not read into memory."""
        self.write(HEAD + member(b"x\n", length=2**35))
        os.truncate(self.path, 2**36)
        recording = self.recording()
        self.assertEqual(0, len(recording))
        self.assertIn("damaged", recording.damage)
        self.assertRaises(ConfigError, Recorder, self.path)
        os.truncate(self.path, 0)

    def test_cut_while_it_is_read(self) -> None:
        """A picture that was there is damaged when it is not there any more."""
        sizes = self.record(THREE)
        recording = self.recording()
        os.truncate(self.path, sizes[2] - 1)
        self.assertEqual(THREE[0], recording.picture(0))
        self.assertRaises(Damaged, recording.picture, 1)
        self.assertRaises(Damaged, recording.picture, 2)
        self.assertEqual(0, recording.refresh())

    @QUICK
    @example([(3, 1)], b"")
    @given(
        st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
        st.binary(max_size=50),
    )
    def test_random_damage(self, changes: list[tuple[int, int]], more: bytes) -> None:
        """Bytes changed and added anywhere: nothing is raised but ``ConfigError``."""
        self.path = self.mktemp()
        self.record([*THREE, (103.0, b"y" * 40)])
        content = bytearray(self.content())
        for place, byte in changes:
            content[place % len(content)] = byte
        self.write(bytes(content) + more)
        self.read()
        with contextlib.suppress(ConfigError):
            Recorder(self.path).close()
        self.read()

    @QUICK
    @given(st.binary(max_size=300), st.booleans(), st.booleans())
    def test_random_content(self, content: bytes, head: bool, magic: bool) -> None:
        """Anything behind a head, or instead of one, is no reason for a traceback."""
        self.path = self.mktemp()
        start = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x14\0CP\x10\0" if magic else b""
        self.write((HEAD if head else b"") + start + content)
        self.read()
        with contextlib.suppress(ConfigError):
            Recorder(self.path).close()
        self.read()


class RecorderTests(TapeTestCase):
    """Writing: whole pictures, one recorder to a file, and errors told once."""

    def test_whole_members_only(self) -> None:
        """Each picture is in the file as soon as it was recorded."""
        recorder = self.recorder()
        for count, (time, line) in enumerate(THREE, 1):
            recorder.record(time, line)
            self.assertEqual(THREE[:count], self.pictures())

    def test_another_start_goes_on(self) -> None:
        """``--record`` to the same file continues what is there, with one head."""
        self.record(THREE)
        self.record([(200.0, b"new")])
        self.assertEqual([*THREE, (200.0, b"new")], self.pictures())
        self.assertEqual(5, gzip.decompress(self.content()).count(b"\n"))

    def test_an_empty_file(self) -> None:
        """It holds nothing dear, so it becomes a recording."""
        self.write(b"")
        self.record(THREE)
        self.assertEqual(THREE, self.pictures())

    def test_two_recorders(self) -> None:
        """The second is refused; when the first is done, another may go on."""
        first = self.recorder()
        first.record(*THREE[0])
        said = self.refused_to_record()
        self.assertEqual(
            f"{self.path}: another connmon records to it, expected a file of its own",
            said,
        )
        first.close()
        self.record(THREE[1:])
        self.assertEqual(THREE, self.pictures())

    def test_after_close(self) -> None:
        """Nothing is recorded any more, and nobody complains."""
        recorder = self.recorder()
        self.assertFalse(recorder.closed)
        recorder.close()
        recorder.close()
        recorder.record(*THREE[0])
        self.assertTrue(recorder.closed)
        self.assertEqual([], self.pictures())

    def test_a_full_disk(self) -> None:
        """The error is told once, and the part of a picture is taken away again."""
        recorder = self.recorder()
        recorder.record(*THREE[0])
        size = os.path.getsize(self.path)
        with files_up_to(size + 20):
            error = self.assertRaises(ConnmonError, recorder.record, *THREE[1])
            recorder.record(*THREE[2])
        reason = os.strerror(errno.EFBIG)
        self.assertEqual(f"cannot record to {self.path}: {reason}", str(error))
        self.assertNotIsInstance(error, ConfigError)
        self.assertTrue(recorder.closed)
        self.assertEqual(size, os.path.getsize(self.path))
        self.record([THREE[2]])
        self.assertEqual([THREE[0], THREE[2]], self.pictures())

    def test_a_disk_that_was_full_from_the_start(self) -> None:
        """Without room for the head there is an empty file, and an error."""
        with files_up_to(20):
            error = self.assertRaises(ConnmonError, Recorder, self.path)
        self.assertIn(os.strerror(errno.EFBIG), str(error))
        self.assertEqual(b"", self.content())

    def test_a_device_that_is_full(self) -> None:
        """What cannot be made shorter fails in the same words."""
        error = self.assertRaises(ConnmonError, Recorder, "/dev/full")
        reason = os.strerror(errno.ENOSPC)
        self.assertEqual(f"cannot record to /dev/full: {reason}", str(error))

    def test_where_nothing_can_be_written(self) -> None:
        """The system's words, and what was expected."""
        for path in (".", "", "a\0b", "no/such/place"):
            said = str(self.assertRaises(ConfigError, Recorder, path))
            self.assertIn("cannot record to", said)
            self.assertIn("expected a file that can be written, or a pipe", said)
            self.assertNotIn("Errno", said)

    def test_a_terminal(self) -> None:
        """It would show what is not fit to be shown."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        said = self.assertRaises(ConfigError, Recorder, os.ttyname(theirs))
        self.assertIn("is a terminal, expected a file or a pipe", str(said))

    def test_a_named_pipe(self) -> None:
        """Whoever reads it gets a recording; when they leave, that is told once."""
        os.mkfifo(self.path)
        read = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        recorder = self.recorder()
        for time, line in THREE:
            recorder.record(time, line)
        got = os.read(read, 65536)
        os.close(read)
        error = self.assertRaises(ConnmonError, recorder.record, *THREE[0])
        self.assertIsInstance(error.__cause__, BrokenPipeError)
        recorder.record(*THREE[0])
        self.path = self.mktemp()
        self.write(got)
        self.assertEqual(THREE, self.pictures())

    def test_standard_output(self) -> None:
        """``/dev/stdout`` and its like may be a pipe, or a file."""
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        recorder = self.recorder(f"/dev/fd/{write}")
        os.close(write)
        recorder.record(*THREE[0])
        recorder.close()
        self.write(os.read(read, 65536))
        self.assertEqual(THREE[:1], self.pictures())
        self.write(b"")
        with open(self.path, "wb") as file:
            recorder = self.recorder(f"/dev/fd/{file.fileno()}")
        recorder.record(*THREE[1])
        self.assertEqual(THREE[1:2], self.pictures())

    def test_a_line_too_long(self) -> None:
        """What could not be read again is not recorded, and that is told."""
        recorder = Recorder(self.path, limit=100)
        self.addCleanup(recorder.close)
        recorder.record(1.0, b"x" * 100)
        error = self.assertRaises(ConnmonError, recorder.record, 2.0, b"x" * 101)
        self.assertIn("a picture has 101 bytes, expected up to 100", str(error))
        self.assertEqual([(1.0, b"x" * 100)], self.pictures())

    def test_an_impossible_time(self) -> None:
        """A recording of it could not be read: it is our own mistake."""
        recorder = self.recorder()
        for time in (float("nan"), float("inf")):
            self.assertRaises(OutOfTurn, recorder.record, time, b"x")
        recorder.record(*THREE[0])
        self.assertEqual(THREE[:1], self.pictures())

    def test_what_does_not_compress(self) -> None:
        """Such a line at the very limit is recorded, and read with the same limit."""
        line = os.urandom(100_000)
        recorder = Recorder(self.path, limit=len(line))
        recorder.record(1.0, line)
        recorder.close()
        self.assertEqual((1.0, line), self.recording(limit=len(line)).picture(0))
