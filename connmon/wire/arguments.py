"""AMP argument types of our own: bounded text, and payloads of any size."""

from __future__ import annotations

from typing import Any

from connmon.errors import ProtocolError
from connmon.wire.without_tls import amp

#: The longest value AMP can carry.
AMP_VALUE_LIMIT = 0xFFFF


class Text(amp.Argument):
    """UTF-8 text of at most ``limit`` characters."""

    def __init__(self, limit: int, optional: bool = False) -> None:
        """Bound the text to ``limit`` characters; past it the box is refused."""
        super().__init__(optional=optional)
        self.limit = limit

    def fromString(self, inString: bytes) -> str:
        """Bytes off the wire to text, or ``ProtocolError``."""
        try:
            text = inString.decode("utf-8")
        except UnicodeDecodeError:
            raise ProtocolError("text that is not UTF-8") from None
        if len(text) > self.limit:
            raise ProtocolError(f"text of {len(text)} characters, over {self.limit}")
        return text

    def toString(self, inObject: str) -> bytes:
        """Text to bytes; what UTF-8 cannot say (lone surrogates) becomes ``?``."""
        return inObject.encode("utf-8", "replace")


class Payload(amp.Argument):
    """Bytes of any length: cut over several values of one box, since one holds 65,535.

    The first piece travels under the argument's name, the others under ``name.1``,
    ``name.2`` and so on. The link bounds what a whole box may hold.
    """

    def toBox(
        self, name: bytes, strings: dict[bytes, bytes], objects: Any, proto: Any
    ) -> None:
        """Cut one payload into the box's values."""
        data = self.retrieve(objects, name.decode(), proto)
        for number, start in enumerate(range(0, max(len(data), 1), AMP_VALUE_LIMIT)):
            strings[_piece(name, number)] = data[start : start + AMP_VALUE_LIMIT]

    def fromBox(
        self, name: bytes, strings: dict[bytes, bytes], objects: Any, proto: Any
    ) -> None:
        """Join one payload from the box's values."""
        pieces = [self.retrieve(strings, name, proto)]
        while (key := _piece(name, len(pieces))) in strings:
            pieces.append(strings.pop(key))
        objects[name.decode()] = b"".join(pieces)


def _piece(name: bytes, number: int) -> bytes:
    """The box key of one piece of a payload."""
    return name if number == 0 else b"%s.%d" % (name, number)
