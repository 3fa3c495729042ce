"""A link that counts what passes over it."""

from __future__ import annotations

from dataclasses import dataclass

from connmon.wire.link import Link
from connmon.wire.without_tls import amp


@dataclass(slots=True)
class Traffic:
    """Bytes and boxes, questions and answers alike."""

    bytes_sent: int = 0
    bytes_received: int = 0
    messages_sent: int = 0
    messages_received: int = 0

    def add(self, other: Traffic) -> None:
        """Count what passed elsewhere, too."""
        self.bytes_sent += other.bytes_sent
        self.bytes_received += other.bytes_received
        self.messages_sent += other.messages_sent
        self.messages_received += other.messages_received


class CountedLink(Link):
    """A link with its traffic."""

    def __init__(self) -> None:
        """Nothing has passed yet."""
        super().__init__()
        self.traffic = Traffic()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes in."""
        self.traffic.bytes_received += len(data)
        super().dataReceived(data)

    def ampBoxReceived(self, box: amp.AmpBox) -> None:
        """Take a whole box in."""
        self.traffic.messages_received += 1
        super().ampBoxReceived(box)

    def sendBox(self, box: amp.AmpBox) -> None:
        """Send a box."""
        if self.transport is None:
            super().sendBox(box)  # which says what is wrong
            return
        packed = box.serialize()
        self.traffic.messages_sent += 1
        self.traffic.bytes_sent += len(packed)
        self.transport.write(packed)
