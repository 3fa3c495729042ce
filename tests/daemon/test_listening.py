"""Tests of the listening sockets: real ones of this machine, and clear complaints."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from connmon.config import Address, UnixAddress
from connmon.daemon.listening import Listener, bind, bind_all
from connmon.errors import ConfigError


class BindTests(SynchronousTestCase):
    """From an address to sockets, or to one line."""

    def bound(self, host: str, port: int = 0, **how: Any) -> list[socket.socket]:
        """Bind, to be closed at the end of the test."""
        listeners = bind(Address(host, port), **how)
        for each in listeners:
            self.addCleanup(each.close)
            place = each.socket.getsockname()
            self.assertEqual(Address(*place[:2]), each.address)
        return [each.socket for each in listeners]

    def complaint(self, host: str, port: int, **how: Any) -> str:
        """The one line that says why binding failed."""
        return str(self.assertRaises(ConfigError, self.bound, host, port, **how))

    def ipv6(self) -> None:
        """Skip the test where there is no IPv6."""
        try:
            self.bound("::1")
        except ConfigError as error:
            raise SkipTest(f"no IPv6 here: {error}") from None

    def test_a_bound_socket_listens(self) -> None:
        """Links are accepted from then on, before anything else is started."""
        (listener,) = self.bound("127.0.0.1")
        with socket.create_connection(listener.getsockname(), timeout=5):
            self.assertFalse(listener.getblocking())

    def test_a_port_in_use(self) -> None:
        """The address and the reason are named."""
        (listener,) = self.bound("127.0.0.1")
        port = listener.getsockname()[1]
        self.assertEqual(
            f"cannot listen on 127.0.0.1:{port}: Address already in use",
            self.complaint("127.0.0.1", port),
        )

    def test_an_address_of_another_machine(self) -> None:
        """An IP address that this machine does not have."""
        self.assertEqual(
            "cannot listen on 192.0.2.1:5800: Cannot assign requested address",
            self.complaint("192.0.2.1", 5800),
        )

    def test_an_unknown_name(self) -> None:
        """The resolver's reason, without its number."""

        def unknown(*arguments: Any, **options: Any) -> Any:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        self.assertEqual(
            "cannot listen on nosuch.invalid:5800: Name or service not known",
            self.complaint("nosuch.invalid", 5800, resolve=unknown),
        )

    def test_a_name_that_is_none(self) -> None:
        """What no resolver is even asked for."""
        self.assertIn("cannot listen on a..b:5800: ", self.complaint("a..b", 5800))

    def test_ipv6_in_brackets(self) -> None:
        """An IPv6 address is taken, and named as it is written."""
        self.ipv6()
        (listener,) = self.bound("::1")
        port = listener.getsockname()[1]
        self.assertEqual(socket.AF_INET6, listener.family)
        self.assertEqual(
            f"cannot listen on [::1]:{port}: Address already in use",
            self.complaint("::1", port),
        )

    def test_everywhere_in_ipv6_is_both_families(self) -> None:
        """``[::]`` takes IPv4 too."""
        self.ipv6()
        (listener,) = self.bound("::")
        where = ("127.0.0.1", listener.getsockname()[1])
        socket.create_connection(where, timeout=5).close()

    def test_a_name_with_addresses_of_both_families(self) -> None:
        """Each has a socket of its own."""
        self.ipv6()
        sockets = self.bound("both", resolve=_both)
        self.assertEqual(
            [socket.AF_INET6, socket.AF_INET], [each.family for each in sockets]
        )

    def test_an_address_that_is_not_to_be_had_is_passed_over(self) -> None:
        """A hosts file may name ::1 where there is no IPv6; 127.0.0.1 is enough."""
        sockets = self.bound("half", resolve=_half)
        self.assertEqual(["127.0.0.1"], [each.getsockname()[0] for each in sockets])

    def test_a_port_in_use_is_not_passed_over(self) -> None:
        """Nor is anything left open then."""
        (listener,) = self.bound("127.0.0.1")
        port = listener.getsockname()[1]

        def resolve(*arguments: Any, **options: Any) -> Any:
            return [_found("127.0.0.2", port), _found("127.0.0.1", port)]

        self.assertIn("already in use", self.complaint("two", port, resolve=resolve))
        self.assertEqual(1, len(self.bound("127.0.0.2", port)))

    def test_a_reason_for_every_number(self) -> None:
        """An error without text of its own is put in the system's words."""

        def failing(*arguments: Any, **options: Any) -> Any:
            raise OSError(errno.EMFILE, "whatever")

        self.assertEqual(
            "cannot listen on x:1: Too many open files",
            self.complaint("x", 1, resolve=failing),
        )


class UnixTests(SynchronousTestCase):
    """UNIX sockets: their files, what may be in the way, and what becomes of them."""

    def setUp(self) -> None:
        """A directory, with a short name since paths may not be long."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.path = self.directory / "c.sock"
        self.address = UnixAddress(str(self.path))

    def bound(self) -> Listener:
        """The socket, to be closed at the end of the test."""
        (listener,) = bind(self.address)
        self.addCleanup(listener.close)
        return listener

    def complaint(self) -> str:
        """Why there is no socket, which must name it."""
        said = str(self.assertRaises(ConfigError, self.bound))
        start = f"cannot listen on {self.address}: "
        self.assertEqual(start, said[: len(start)])
        return said[len(start) :]

    def leave_stale(self) -> None:
        """Leave a socket's file behind, as a node does that is killed."""
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(self.path))

    def test_a_bound_socket_listens(self) -> None:
        """Links are accepted from then on, before anything else is started."""
        listener = self.bound()
        self.assertEqual(self.address, listener.address)
        self.assertFalse(listener.socket.getblocking())
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(self.path))

    def test_everyone_may_connect(self) -> None:
        """Whatever mask the node was started with, and no other file gets another."""
        for mask in (0o000, 0o022, 0o077, 0o777):
            before = os.umask(mask)
            try:
                listener = self.bound()
                self.assertEqual(mask, os.umask(mask))
            finally:
                os.umask(before)
            self.assertEqual(0o666, stat.S_IMODE(self.path.stat().st_mode))
            listener.close()

    def test_closing_removes_the_file(self) -> None:
        """And twice is once."""
        listener = self.bound()
        listener.close()
        self.assertEqual([], list(self.directory.iterdir()))
        listener.close()

    def test_closing_leaves_another_file(self) -> None:
        """Somebody has removed ours meanwhile, and has theirs there."""
        listener = self.bound()
        self.path.unlink()
        self.path.write_text("theirs")
        listener.close()
        self.assertEqual("theirs", self.path.read_text())

    def test_a_file_that_is_gone_already(self) -> None:
        """There is nothing to remove then."""
        listener = self.bound()
        self.path.unlink()
        listener.close()
        self.assertEqual(-1, listener.socket.fileno())

    def test_a_socket_left_behind_is_taken_over(self) -> None:
        """Nobody listens on it."""
        self.leave_stale()
        self.bound()
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(self.path))

    def test_a_live_node_is_left_alone(self) -> None:
        """It goes on, and its file with it."""
        self.bound()
        before = self.path.stat().st_ino
        self.assertEqual("Address already in use", self.complaint())
        self.assertEqual(before, self.path.stat().st_ino)

    def test_a_live_node_that_is_stopped_or_overrun_is_left_alone(self) -> None:
        """Its queue is full: it does not accept, but it is there."""
        with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as a:
            busy.bind(str(self.path))
            busy.listen(0)
            a.connect(str(self.path))
            self.assertEqual("Address already in use", self.complaint())

    def test_a_live_socket_of_another_kind_is_left_alone(self) -> None:
        """A system log's, for instance."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind(str(self.path))
            self.assertEqual("Address already in use", self.complaint())

    def test_what_is_no_socket_is_left_alone(self) -> None:
        """It is named for what it is."""
        expected = "is there, expected a socket or nothing"
        self.path.write_text("precious")
        self.assertEqual(f"a file {expected}", self.complaint())
        self.assertEqual("precious", self.path.read_text())
        self.path.unlink()
        self.path.mkdir()
        self.assertEqual(f"a directory {expected}", self.complaint())
        self.path.rmdir()
        os.mkfifo(self.path)
        self.assertEqual(f"something {expected}", self.complaint())
        self.path.unlink()
        self.path.symlink_to(self.directory / "nowhere")
        self.assertEqual(f"a symbolic link {expected}", self.complaint())
        self.assertTrue(self.path.is_symlink())

    def test_no_directory(self) -> None:
        """It is not made: who owns it decides who may enter it."""
        self.address = UnixAddress(f"{self.directory}/no/c.sock")
        self.assertEqual(f"no directory {self.directory}/no", self.complaint())
        (self.directory / "no").write_text("")
        self.assertEqual(f"no directory {self.directory}/no", self.complaint())

    def test_a_directory_where_nothing_can_be_made(self) -> None:
        """The system's reason is told; here even root has no permission."""
        self.address = UnixAddress("/sys/connmon.sock")
        self.assertIn(
            self.complaint(), ("Operation not permitted", "Permission denied")
        )

    def test_whoever_holds_the_lock_for_long_is_not_waited_for(self) -> None:
        """It is no node that starts, and must not keep one from it."""
        self.leave_stale()
        handle = os.open(self.directory, os.O_RDONLY)
        self.addCleanup(os.close, handle)
        fcntl.flock(handle, fcntl.LOCK_EX)
        self.bound()

    def test_the_lock_is_given_back(self) -> None:
        """Also if there is no socket in the end."""
        self.bound()
        self.complaint()
        handle = os.open(self.directory, os.O_RDONLY)
        self.addCleanup(os.close, handle)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_several_are_bound_or_none(self) -> None:
        """The one that failed is named; what was bound before it is given back."""
        bad = UnixAddress(f"{self.directory}/no/c.sock")
        error = self.assertRaises(
            ConfigError, bind_all, (Address("127.0.0.1", 0), self.address, bad)
        )
        self.assertIn(f"cannot listen on {bad}: no directory", str(error))
        self.assertEqual([], list(self.directory.iterdir()))
        listeners = bind_all((self.address, Address("127.0.0.1", 0)))
        for each in listeners:
            self.addCleanup(each.close)
        self.assertEqual(
            [socket.AF_UNIX, socket.AF_INET], [each.socket.family for each in listeners]
        )


def _found(host: str, port: int = 0) -> Any:
    """One address as ``getaddrinfo`` gives it."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]


def _both(*arguments: Any, **options: Any) -> Any:
    """A name of both families, one address twice."""
    return [_found("::1"), _found("127.0.0.1"), _found("127.0.0.1")]


def _half(*arguments: Any, **options: Any) -> Any:
    """A name with an address that this machine does not have."""
    return [_found("192.0.2.1"), _found("127.0.0.1")]
