"""The transport both ends share: AMP that is quiet, bounded and quick to hang up.

It imports no reactor, logs nothing by itself and never raises into its transport, so it
can be used inside an application as well as on a node.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from connmon.errors import ProtocolError
from connmon.wire.commands import BOX_LIMIT, GREETING_LIMIT, TEXT_LIMIT
from connmon.wire.without_tls import amp
from connmon.wording import printable


class Link(amp.AMP):
    """One link. Subclasses answer commands and override the four hooks below."""

    transport: Any

    # AMP would keep the link in each of these attributes of it: cycles, and so it would
    # be left to the collector, which some applications turn off.
    boxReceiver = boxSender = locator = property(
        lambda self: self, lambda self, itself: None
    )

    def __init__(self) -> None:
        """Begin in the greeting, with its tighter limit."""
        super().__init__()
        self._box_limit = GREETING_LIMIT
        self._box_bytes = 0
        self._hung_up = False

    # Hooks.

    def opened(self) -> None:
        """The link can be spoken on."""

    def violated(self, error: ProtocolError) -> None:
        """The other side broke the protocol; the link is being closed."""

    def failed(self, failure: Failure) -> None:
        """Something of ours went wrong while answering; the link is being closed."""

    def closed(self, reason: Failure) -> None:
        """The link is no more; called once."""

    # What is shared.

    def greeted(self) -> None:
        """The greeting is over: boxes may be as large as the protocol allows."""
        self._box_limit = BOX_LIMIT

    def hurry(self) -> None:
        """Have small boxes leave at once, where the transport would hold them back."""
        if not isinstance(self.transport.getPeer(), UNIXAddress):
            self.transport.setTcpNoDelay(True)

    def hang_up(self) -> None:
        """Close the link at once, without sending what is still buffered."""
        if self.transport is not None and not self._hung_up:
            self._hung_up = True
            self.transport.abortConnection()

    # AMP, made quiet and bounded.

    def makeConnection(self, transport: Any) -> None:
        """Begin; AMP's own version would log each link."""
        amp.BinaryBoxProtocol.makeConnection(self, transport)
        self.opened()

    def connectionLost(self, reason: Any = None) -> None:
        """End; AMP's own version would log each link."""
        # First, so that whoever awaits an answer sees that there is no link any more.
        self.transport = None
        amp.BinaryBoxProtocol.connectionLost(self, reason)
        self.closed(reason)

    def callRemote(self, commandType: Any, *args: Any, **kwargs: Any) -> Any:
        """Ask something; what fails leaves nothing behind but the failure."""
        answer = super().callRemote(commandType, *args, **kwargs)
        return answer if answer is None else answer.addErrback(_without_frames)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes in; whatever they hold, only this link can suffer."""
        if self._hung_up:
            return
        try:
            super().dataReceived(data)
        except ProtocolError as error:
            self._drop(error)
        except Exception as error:  # noqa: BLE001  from whatever was sent
            self._drop(ProtocolError(f"unreadable bytes ({type(error).__name__})"))

    def proto_value(self, string: bytes) -> str:
        """Count what one box holds before it is whole."""
        self._box_bytes += len(string) + len(self._currentKey or b"")
        if self._box_bytes > self._box_limit:
            raise ProtocolError(f"a box of over {self._box_limit} bytes")
        state: str = super().proto_value(string)
        return state

    def ampBoxReceived(self, box: amp.AmpBox) -> None:
        """Take a whole box in, unless the link was given up within this read."""
        self._box_bytes = 0
        if not self._hung_up:
            super().ampBoxReceived(box)

    def lengthLimitExceeded(self, length: int) -> None:
        """A key's length is none that AMP knows: this is not AMP."""
        raise ProtocolError("bytes that are not AMP")

    def dispatchCommand(self, box: amp.AmpBox) -> Deferred[Any]:
        """Answer a question, turning any mistake into an error and a closed link."""
        if self.locateResponder(box[amp.COMMAND]) is None:
            raise ProtocolError(f"unknown command {box[amp.COMMAND][:64]!r}")
        answer: Deferred[Any] = super().dispatchCommand(box)
        return answer.addErrback(self._refuse)

    def unhandledError(self, failure: Failure) -> None:
        """A reply that nobody can use: give the link up."""
        error: Any = failure.value
        if isinstance(error, ProtocolError):
            self._drop(error)
        else:
            self.hang_up()

    def _refuse(self, failure: Failure) -> Failure:
        """Say why, and close, if the question broke the protocol or broke us."""
        if failure.check(amp.RemoteAmpError):
            return failure
        error: Any = failure.value
        if isinstance(error, ProtocolError):
            self.violated(error)
            text = str(error)
        else:
            self.failed(failure)
            text = "internal error"
        return Failure(amp.RemoteAmpError(b"PROTOCOL", text, fatal=True))

    def _drop(self, error: ProtocolError) -> None:
        """Hang up on a broken protocol, telling the subclass why."""
        if not self._hung_up:
            self.violated(error)
            self.hang_up()


def refusal(failure: Failure) -> str:
    """In words, why a question was not answered: for a log line or a banner.

    The words may be a stranger's: they are on one line, harmless and not endless.
    """
    error: Any = failure.value
    text = failure.getErrorMessage()
    if isinstance(error, amp.RemoteAmpError):
        text = error.description
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return printable(text[:TEXT_LIMIT])[:TEXT_LIMIT]


def _without_frames(failure: Failure) -> Failure:
    """A failure, cut off from the frames it came through, which would hold it too.

    Twisted ends all links by the same few exceptions, and AMP raises them: each time
    the trace would be added to those before, and what loses links again and again,
    with all that is in those frames, would grow without bound.
    """
    failure.cleanFailure()
    return failure
