"""Tests of who is at the other end of a UNIX socket: the kernel's word, and /proc."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from connmon.daemon.credentials import PROC, Credentials, credentials


class CredentialsTests(SynchronousTestCase):
    """What the kernel says of a socket."""

    def test_of_this_process(self) -> None:
        """Both ends of a pair are ours."""
        ends = socket.socketpair()
        for end in ends:
            self.addCleanup(end.close)
        found = credentials(ends[0])
        self.assertEqual(Credentials(os.getpid(), os.getuid(), os.getgid()), found)
        assert found is not None
        self.assertEqual(os.getpid(), found.own_pid())

    def test_of_a_socket_that_has_none(self) -> None:
        """One that is closed, for instance."""
        end, other = socket.socketpair()
        other.close()
        end.close()
        self.assertIsNone(credentials(end))


class OwnPidTests(SynchronousTestCase):
    """The number by which a process knows itself."""

    def setUp(self) -> None:
        """What stands for /proc, of this process's namespace."""
        self.proc = Path(self.mktemp())
        self.proc.mkdir()
        (self.proc / "self").symlink_to(str(os.getpid()))

    def own_pid(self, status: str | None, pid: int = 123) -> int | None:
        """The own number of a process with this status."""
        if status is not None:
            (self.proc / str(pid)).mkdir(exist_ok=True)
            (self.proc / str(pid) / "status").write_text(status)
        return Credentials(pid, 0, 0).own_pid(self.proc)

    def test_of_our_namespace(self) -> None:
        """It is the one that the kernel told."""
        self.assertEqual(123, self.own_pid("Name:\tx\nNSpid:\t123\nNSpgid:\t1\n"))

    def test_of_a_namespace_within_ours(self) -> None:
        """In a container it has another one, which comes last."""
        self.assertEqual(7, self.own_pid("NSpid:\t123\t45\t7\n"))

    def test_of_another_namespace(self) -> None:
        """The kernel has no number for it; number 0 is never looked at."""
        self.assertIsNone(self.own_pid("NSpid:\t0\n", pid=0))

    def test_what_proc_does_not_tell(self) -> None:
        """Gone, hidden, of an old kernel, or not understood."""
        for status in (None, "Name:\tx\n", "NSpid:\n", "NSpid:\tx\n"):
            self.assertIsNone(self.own_pid(status), status)

    def test_a_proc_of_another_namespace(self) -> None:
        """Its numbers are not those that the kernel told."""
        (self.proc / "self").unlink()
        for target in ("99999999", None):
            if target is not None:
                (self.proc / "self").symlink_to(target)
            self.assertIsNone(self.own_pid("NSpid:\t123\n"), target)
            (self.proc / "self").unlink(missing_ok=True)

    def test_this_process(self) -> None:
        """The real /proc knows our own number."""
        own = Credentials(os.getpid(), 0, 0)
        self.assertEqual(os.getpid(), own.own_pid(PROC))
