"""The places of a dialect's callables that tell of transactions: taken, and given back.

SQLAlchemy has events for transactions, but an engine with a listener for any of them
leaves the fast path with every statement. So the engine's own dialect object gets
callables of its own, which mark and go on to the plain ones: see
``connmon.client.transactions``. ``type(engine.dialect)`` stays what it was, and so does
every other dialect.

An application may do the same, before us or after. So a callable of ours is known by
being that very object: what wraps it may have all of its attributes.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import getattr_static
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any
from weakref import ref

from connmon.client.autocommit import Autocommit
from connmon.client.transactions import MAKERS, Place

if TYPE_CHECKING:
    from connmon.client.following import Following

_MARK = "connmon"
"""The attribute of a callable of ours that has its hearing."""

_COPIES = "__reduce_ex__"
"""What ``copy`` asks for what a copy has. Not our callables: they know the original."""


class Hearing:
    """What was put in the place of one dialect's callables, for how many engines.

    It may rest meanwhile: see ``connmon.client.following``.
    """

    def __init__(
        self,
        dialect: Any,
        following: Following,
        broke: Callable[[Exception], None],
    ) -> None:
        """Nothing is yet; what fails of ours is told to ``broke``."""
        self.engines = 0
        self.following = following
        #: What the object had of its own, not from its class.
        self._own: dict[str, Any] = {}
        #: What of ours took each place last.
        self._ours: dict[str, Any] = {}
        self._rests = False
        #: Whether somebody took a place that was ours, and calls us or puts us back.
        self._is_wrapped = False
        self._dialect = ref(dialect)
        self._broke = broke

    def begin(self) -> None:
        """Take their places. Raises what the dialect raises, with nothing changed."""
        dialect = self._dialect()
        try:
            self._take(dialect, _COPIES, self._reduced())
            self._listen(dialect)
        except Exception:
            self.end()
            raise

    def end(self) -> None:
        """Give them back, unless somebody else took them meanwhile."""
        self._restore(getattr(self._dialect(), "__dict__", {}), _COPIES, *MAKERS)

    def left(self) -> None:
        """An engine is gone. Any thread, the garbage collector's too."""
        self.engines -= 1
        if not self.engines:
            self.end()

    def rest(self) -> None:
        """Give back the places of what tells of transactions.

        Not if somebody took one of them: whoever has ours would lose it, or bring it
        back at any time.
        """
        if self._rests or self._is_wrapped:
            return
        own = getattr(self._dialect(), "__dict__", {})
        self._is_wrapped = any(own.get(each) is not self._ours[each] for each in MAKERS)
        if not self._is_wrapped:
            self._rests = True
            self._restore(own, *MAKERS)

    def resume(self) -> None:
        """Take them again. Raises what the dialect raises."""
        dialect = self._dialect()
        if dialect is not None and self.engines:
            self._listen(dialect)

    def _listen(self, dialect: Any) -> None:
        """Take the places that are not taken: by us, or by whoever wraps us."""
        self._rests = False
        autocommit = Autocommit(dialect)
        for name, make in MAKERS.items():
            own = vars(dialect).get(name)
            if own is not None and (own is self._ours.get(name) or self._is_wrapped):
                continue
            plain = _plain(dialect, name) if own is None else _always(own)
            place = Place(
                plain, name, autocommit, self.following.connections, self._broke
            )
            self._take(dialect, name, make(place))

    def _take(self, dialect: Any, name: str, ours: Any) -> None:
        self._own.pop(name, None)
        if name in vars(dialect):
            self._own[name] = vars(dialect)[name]
        setattr(ours, _MARK, self)
        self._ours[name] = ours
        setattr(dialect, name, ours)

    def _reduced(self) -> Callable[[Any], Any]:
        """What tells ``copy`` what a dialect consists of: we are no part of it."""

        def reduce_ex(protocol: Any) -> Any:
            dialect = self._dialect()
            kind: Any = type(dialect)
            reduced = kind.__reduce_ex__(dialect, protocol)
            if isinstance(reduced, str) or not isinstance(reduced[2], dict):
                return reduced
            state = dict(reduced[2])
            self._restore(state, _COPIES, *MAKERS)
            return (*reduced[:2], state, *reduced[3:])

        return reduce_ex

    def _restore(self, own: dict[str, Any], *names: str) -> None:
        """Make of what a dialect has of its own what it would have without us."""
        for name in names:
            ours = self._ours.get(name)
            if ours is not None and own.get(name) is ours:
                if name in self._own:
                    own[name] = self._own[name]
                else:
                    del own[name]


def hearing_of(dialect: Any) -> Hearing | None:
    """What hears a dialect already, if anything does, or rests from that."""
    found = vars(dialect).get(_COPIES)
    hearing: Hearing | None = getattr(found, _MARK, None)
    return hearing


def _always(own: Callable[..., Any]) -> Callable[[], Callable[..., Any]]:
    """What gives a callable that the object has of its own."""
    return lambda: own


def _plain(dialect: Any, name: str) -> Callable[[], Callable[..., Any]]:
    """What gives a callable of the class, bound to the dialect as Python would do it.

    Each time anew: a test may replace what a class has, and not only by a function.
    """
    kind = type(dialect)
    seen: Any = None
    static: Any = None

    def plain() -> Callable[..., Any]:
        nonlocal seen, static
        found = getattr(kind, name)
        if found is not seen:
            seen, static = found, getattr_static(kind, name)
        if type(static) is FunctionType:
            return MethodType(static, dialect)
        bind = getattr(type(static), "__get__", None)
        bound: Any = static if bind is None else bind(static, dialect, kind)
        own: Callable[..., Any] = bound
        return own

    return plain
