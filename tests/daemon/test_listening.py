"""Tests of the listening sockets: real ones of this machine, and clear complaints."""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from connmon.config import Address
from connmon.daemon.listening import bind
from connmon.errors import ConfigError


class BindTests(SynchronousTestCase):
    """From an address to sockets, or to one line."""

    def bound(self, host: str, port: int = 0, **how: Any) -> list[socket.socket]:
        """Bind, to be closed at the end of the test."""
        sockets = bind(Address(host, port), **how)
        for each in sockets:
            self.addCleanup(each.close)
        return sockets

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


def _found(host: str, port: int = 0) -> Any:
    """One address as ``getaddrinfo`` gives it."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]


def _both(*arguments: Any, **options: Any) -> Any:
    """A name of both families, one address twice."""
    return [_found("::1"), _found("127.0.0.1"), _found("127.0.0.1")]


def _half(*arguments: Any, **options: Any) -> Any:
    """A name with an address that this machine does not have."""
    return [_found("192.0.2.1"), _found("127.0.0.1")]
