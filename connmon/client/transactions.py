"""Whether connections that are out are in a transaction, and idle in it.

SQLAlchemy has events for that, but an engine with a listener for any of them leaves the
fast path with every statement. So it is heard where its dialect is asked to execute,
commit or roll back: the engine's own dialect object gets callables of its own, which
mark and go on to those of its class. ``type(engine.dialect)`` stays what it was, and so
does every other dialect.

A transaction begins as the database begins it, with the first statement, whoever called
``begin()`` and when. It ends with the commit or the rollback, and with the check-in. A
savepoint is a statement. What is executed by a cursor of the driver's own is not seen.

Nothing here may raise into the application; see ``connmon.client.listeners``.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

from connmon.client.autocommit import Autocommit
from connmon.client.foreign import is_handlers
from connmon.client.tokens import KEY
from connmon.model.connection import Connection

if TYPE_CHECKING:
    from connmon.client.following import Following

_MARK = "connmon"
"""The attribute by which a callable of ours is known."""


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
        #: What the object had of its own, not from its class.
        self._own: dict[str, Any] = {}
        self._dialect = ref(dialect)
        self.following = following
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
        self._restore(getattr(self._dialect(), "__dict__", {}), _COPIES, *_MAKERS)

    def rest(self) -> None:
        """Give back the places of what tells of transactions."""
        self._restore(getattr(self._dialect(), "__dict__", {}), *_MAKERS)

    def resume(self) -> None:
        """Take them again. Raises what the dialect raises."""
        dialect = self._dialect()
        if dialect is not None:
            self._listen(dialect)

    def _listen(self, dialect: Any) -> None:
        """Take the places of what tells of transactions."""
        autocommit = Autocommit(dialect)
        for name, make in _MAKERS.items():
            plain = vars(dialect).get(name)
            if getattr(plain, _MARK, None) is self:
                continue
            source: Any = type(dialect)
            if plain is not None:
                source = SimpleNamespace(**{name: _unbound(plain)})
            place = Place(
                dialect,
                source,
                name,
                autocommit,
                self.following.connections,
                self._broke,
            )
            self._take(dialect, name, make(place))

    def _take(self, dialect: Any, name: str, ours: Any) -> None:
        self._own.pop(name, None)
        if name in vars(dialect):
            self._own[name] = vars(dialect)[name]
        setattr(ours, _MARK, self)
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
            self._restore(state, _COPIES, *_MAKERS)
            return (*reduced[:2], state, *reduced[3:])

        return reduce_ex

    def _restore(self, own: dict[str, Any], *names: str) -> None:
        """Make of what a dialect has of its own what it would have without us."""
        for name in names:
            if getattr(own.get(name), _MARK, None) is self:
                if name in self._own:
                    own[name] = self._own[name]
                else:
                    del own[name]

    def left(self) -> None:
        """An engine is gone. Any thread, the garbage collector's too."""
        self.engines -= 1
        if not self.engines:
            self.end()


def hearing_of(dialect: Any) -> Hearing | None:
    """What hears a dialect already, if anything does, or rests from that."""
    found = vars(dialect).get(_COPIES)
    hearing: Hearing | None = getattr(found, _MARK, None)
    return hearing


def _unbound(plain: Callable[..., Any]) -> Callable[..., Any]:
    """A callable of the object's own, to be called as its class's are."""
    return lambda dialect, *arguments, **options: plain(*arguments, **options)


# -- what takes the places -------------------------------------------------------------

Broke = Callable[[Exception], None]


class Place(NamedTuple):
    """Which callable of which dialect is replaced, and what its substitute needs.

    ``source`` has the plain one, to be called with the dialect. It is asked for it each
    time: a test may replace what a class has. ``following`` are the connections whose
    transactions are noted.
    """

    dialect: Any
    source: Any
    name: str
    autocommit: Autocommit
    following: set[Connection]
    broke: Broke


def _execute(place: Place) -> Callable[..., Any]:
    """What takes the place of ``do_execute``: as its siblings, but costs less."""
    dialect, source, following, broke = (*place[:2], *place[-2:])
    starts = _starting(place)

    def do_execute(
        cursor: Any, statement: Any, parameters: Any, context: Any = None
    ) -> Any:
        if not following:
            return source.do_execute(dialect, cursor, statement, parameters, context)
        try:
            root = context.root_connection
            connection: Any = root._dbapi_connection._connection_record.info[KEY]
        except (AttributeError, KeyError, TypeError) as error:
            root, connection = _of(context, error)
        if connection is not None and not starts(root, connection):
            connection = None
        try:
            return source.do_execute(dialect, cursor, statement, parameters, context)
        finally:
            if connection is not None:
                connection.executed = monotonic()
                if connection.pool.quiet:
                    _stir(connection, broke)

    return do_execute


def _execute_otherwise(place: Place) -> Callable[..., Any]:
    """What takes the place of ``do_executemany`` and ``do_execute_no_params``."""
    dialect, source, name, _, following, broke = place
    starts = _starting(place)

    def execute(cursor: Any, *arguments: Any, **options: Any) -> Any:
        if not following:
            return getattr(source, name)(dialect, cursor, *arguments, **options)
        context = options.get("context", arguments[-1] if arguments else None)
        root, connection = _of(context)
        if connection is not None and not starts(root, connection):
            connection = None
        try:
            return getattr(source, name)(dialect, cursor, *arguments, **options)
        finally:
            if connection is not None:
                connection.executed = monotonic()
                if connection.pool.quiet:
                    _stir(connection, broke)

    return execute


def _starting(place: Place) -> Callable[[Any, Connection], bool]:
    """What notes that a statement begins; it tells whether that is in a transaction."""
    autocommit, following, broke = place.autocommit, place.following, place.broke
    doubtful = autocommit.is_possible

    def starts(root: Any, connection: Connection) -> bool:
        try:
            if connection not in following:
                return False
            if connection.transaction_use == connection.uses:
                connection.executed = None
            else:
                if (doubtful or root._execution_options) and autocommit.holds(root):
                    return False
                if not connection.begins(monotonic()):
                    return False
            if connection.pool.quiet:
                connection.pool.stir()
        except Exception as error:
            broke(error)
            return False
        return True

    return starts


def _finish(place: Place) -> Callable[..., Any]:
    """What takes the place of ``do_commit`` and ``do_rollback``.

    A pool calls it too, for whoever left the rollback to it; and, if no transaction is
    known of, to no end.
    """
    dialect, source, name, _, following, broke = place
    count = _COUNTED[name]

    def finish(fairy: Any) -> Any:
        if not following:
            return getattr(source, name)(dialect, fairy)
        try:
            connection: Any = fairy._connection_record.info[KEY]
        except (AttributeError, KeyError, TypeError) as error:
            connection = _elsewhere(fairy, error)
        plain = getattr(source, name)
        if connection is None or not connection.ends():
            return plain(dialect, fairy)
        try:
            return plain(dialect, fairy)
        finally:
            _ended(connection, count, broke)

    return finish


def _finish_in_two_phases(place: Place) -> Callable[..., Any]:
    """What takes the place of the same for two phases.

    It may execute, commit or roll back by itself, which is not counted besides.
    """
    dialect, source, name, _, _, broke = place
    count = _COUNTED[name]

    def finish(root: Any, *arguments: Any, **options: Any) -> Any:
        _, connection = _of(SimpleNamespace(root_connection=root))
        plain = getattr(source, name)
        if connection is None or not connection.ends():
            return plain(dialect, root, *arguments, **options)
        try:
            return plain(dialect, root, *arguments, **options)
        finally:
            _ended(connection, count, broke)

    return finish


_MAKERS: dict[str, Callable[[Place], Callable[..., Any]]] = {
    # The ends first: what has begun must be able to end.
    "do_commit": _finish,
    "do_rollback": _finish,
    "do_commit_twophase": _finish_in_two_phases,
    "do_rollback_twophase": _finish_in_two_phases,
    "do_executemany": _execute_otherwise,
    "do_execute_no_params": _execute_otherwise,
    "do_execute": _execute,
}

_COUNTED = {
    "do_commit": "committed",
    "do_rollback": "rolled_back",
    "do_commit_twophase": "committed",
    "do_rollback_twophase": "rolled_back",
}
"""The method of ``Pool`` that counts each end, asked for when that comes."""


def _stir(connection: Connection, broke: Broke) -> None:
    """A statement is done, or has failed, and that is news."""
    try:
        connection.pool.stir()
    except Exception as error:
        broke(error)


def _ended(connection: Connection, count: str, broke: Broke) -> None:
    """A transaction is over, whether or not that went well."""
    try:
        connection.transaction_use = 0
        getattr(connection.pool, count)()
    except Exception as error:
        broke(error)


def _of(context: Any, error: Exception | None = None) -> tuple[Any, Connection | None]:
    """SQLAlchemy's connection that executes in a context, and ours if it is known.

    A context may be missing, and so may all that leads from it to ours.
    """
    root = getattr(context, "root_connection", None)
    fairy: Any = getattr(root, "_dbapi_connection", None)
    if error is None:
        try:
            return root, fairy._connection_record.info[KEY]
        except (AttributeError, KeyError, TypeError) as missing:
            error = missing
    return root, _elsewhere(fairy, error)


def _elsewhere(fairy: Any, error: Exception) -> Connection | None:
    """Whose a detached connection is, which has no record; ``None`` for any other."""
    if is_handlers(error):
        raise error
    try:
        found: Connection | None = fairy.info.get(KEY)
    except Exception as another:
        if is_handlers(another):
            raise
        return None
    return found
