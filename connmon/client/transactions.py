"""Whether connections that are out are in a transaction, and idle in it.

That is heard where the engine's dialect is asked to execute, commit or roll back, by
callables that ``connmon.client.hearing`` puts in the place of its own, which mark and
go on to those.

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

from connmon.client.autocommit import Autocommit
from connmon.client.foreign import is_handlers, unseen
from connmon.client.tokens import KEY
from connmon.model.connection import Connection

if TYPE_CHECKING:
    pass

Broke = Callable[[Exception], None]


class Place(NamedTuple):
    """Which callable of a dialect is replaced, and what its substitute needs.

    ``plain`` gives the plain one, asked each time. ``following`` are the connections
    whose transactions are noted.
    """

    plain: Callable[[], Callable[..., Any]]
    name: str
    autocommit: Autocommit
    following: set[Connection]
    broke: Broke


def _execute(place: Place) -> Callable[..., Any]:
    """What takes the place of ``do_execute``: as its siblings, but costs less."""
    plain, _, _, following, broke = place
    starts = _starting(place)

    def do_execute(
        cursor: Any, statement: Any, parameters: Any, context: Any = None
    ) -> Any:
        connection: Any = None
        if following:
            try:
                root = context.root_connection
                connection = root._dbapi_connection._connection_record.info[KEY]
            except (AttributeError, KeyError, TypeError) as error:
                root, connection = _of(context, error)
            if connection is not None and not starts(root, connection):
                connection = None
        try:
            return plain()(cursor, statement, parameters, context)
        except BaseException as error:
            unseen(error)
            raise
        finally:
            if connection is not None:
                connection.executed = monotonic()
                if connection.pool.quiet:
                    _stir(connection, broke)

    return do_execute


def _execute_otherwise(place: Place) -> Callable[..., Any]:
    """What takes the place of ``do_executemany`` and ``do_execute_no_params``."""
    plain, _, _, following, broke = place
    starts = _starting(place)

    def execute(cursor: Any, *arguments: Any, **options: Any) -> Any:
        connection = None
        if following:
            context = options.get("context", arguments[-1] if arguments else None)
            root, connection = _of(context)
            if connection is not None and not starts(root, connection):
                connection = None
        try:
            return plain()(cursor, *arguments, **options)
        except BaseException as error:
            unseen(error)
            raise
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
    plain, name, _, following, broke = place
    count = _COUNTED[name]

    def finish(fairy: Any) -> Any:
        connection: Any = None
        if following:
            try:
                connection = fairy._connection_record.info[KEY]
            except (AttributeError, KeyError, TypeError) as error:
                connection = _elsewhere(fairy, error)
            if connection is not None and not connection.ends():
                connection = None
        try:
            return plain()(fairy)
        except BaseException as error:
            unseen(error)
            raise
        finally:
            if connection is not None:
                _ended(connection, count, broke)

    return finish


def _finish_in_two_phases(place: Place) -> Callable[..., Any]:
    """What takes the place of the same for two phases.

    It may execute, commit or roll back by itself, which is not counted besides.
    """
    plain, name, _, _, broke = place
    count = _COUNTED[name]

    def finish(root: Any, *arguments: Any, **options: Any) -> Any:
        _, connection = _of(SimpleNamespace(root_connection=root))
        if connection is not None and not connection.ends():
            connection = None
        try:
            return plain()(root, *arguments, **options)
        except BaseException as error:
            unseen(error)
            raise
        finally:
            if connection is not None:
                _ended(connection, count, broke)

    return finish


MAKERS: dict[str, Callable[[Place], Callable[..., Any]]] = {
    # The ends first: what has begun must be able to end.
    "do_commit": _finish,
    "do_rollback": _finish,
    "do_commit_twophase": _finish_in_two_phases,
    "do_rollback_twophase": _finish_in_two_phases,
    "do_executemany": _execute_otherwise,
    "do_execute_no_params": _execute_otherwise,
    "do_execute": _execute,
}
"""What makes the substitute for each."""

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
