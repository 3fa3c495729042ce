"""What takes the place of a pool's callables, and marks what they do.

Why it is these, and what else a pool is heard by, says ``connmon.client.listeners``.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import _getframe
from time import monotonic
from types import FrameType, MethodType
from typing import TYPE_CHECKING, Any
from weakref import ref

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import Pool

from connmon.client.foreign import unseen
from connmon.client.tags import CURRENT, USED
from connmon.client.tokens import KEY
from connmon.model.connection import NOT_IDLE
from connmon.model.holding import Owner

if TYPE_CHECKING:
    from connmon.client.listeners import Watch

_DEEPEST = 100
"""How many calls a pool is looked for in. SQLAlchemy makes less than ten."""


def connecting(  # noqa: C901  a call more would be paid for by each checkout
    watch: Watch,
    enter: Callable[[Any], Any],
    whose: Any,
    owner: Callable[[], Owner],
    trace: Callable[[int], Any],
) -> Callable[[], Any]:
    """What takes the place of ``pool.connect``, and calls ``enter`` of ``whose``."""
    took, broke, timed_out = watch.took, watch.broke, watch.timed_out
    follow = watch.following.connections.add

    def connect() -> Any:  # noqa: C901
        try:
            fairy = enter(whose)
        except BaseException as error:
            if isinstance(error, PoolTimeout):
                timed_out()
            unseen(error)
            raise
        try:
            record, site = fairy._connection_record, None
            try:
                connection = record.info[KEY]
            except KeyError:
                left, site = NOT_IDLE, trace(2)
            else:
                pool = connection.pool
                if pool.lines_left > 0:
                    pool.lines_left -= 1
                    site = trace(2)
                connection.holder = record.fairy_ref
                left = connection.taken(monotonic(), owner(), site)
                if pool.followed_left > 0:
                    pool.followed_left -= 1
                    follow(connection)
                if USED and left != NOT_IDLE:
                    connection.tag = CURRENT.get()
            if left:
                took(fairy, owner, left, site)
        except Exception as error:
            # Without a record it is detached, and used once more by the thread that
            # has it: ``SingletonThreadPool`` hands it out again. That is no checkout.
            if getattr(fairy, "_connection_record", error) is not None:
                broke(error)
        return fairy

    connect.connmon = watch  # type: ignore[attr-defined]
    return connect


def way_out(method: Any) -> tuple[Callable[[Any], Any], Any]:
    """What takes a connection out of a pool, and what to call it with.

    That is ``pool.connect``, or what that calls, if it is SQLAlchemy's and does nothing
    else. So it is in all versions so far; the call left out is 0.01 of bare.
    """
    if _only_calls(method, Pool.connect, "_ConnectionFairy", "_checkout"):
        return method.__globals__["_ConnectionFairy"]._checkout, method.__self__
    return _call, method


def way_back(method: Any) -> Callable[[Any], None]:
    """What takes a record back: ``pool._return_conn``, or what that calls, likewise."""
    if _only_calls(method, Pool._return_conn, "_do_return_conn"):
        return method.__self__._do_return_conn  # type: ignore[no-any-return]
    return method  # type: ignore[no-any-return]


def _only_calls(method: Any, function: Any, *names: str) -> bool:
    """Whether a method is that function, which has no names but these.

    Else the application, or another tool, may have put one there that does more.
    """
    # Not isinstance(): wrappers such as wrapt's say that they are what they wrap.
    if type(method) is not MethodType or method.__func__ is not function:
        return False
    return getattr(getattr(function, "__code__", None), "co_names", None) == names


def _call(method: Callable[[], Any]) -> Any:
    return method()


def entered() -> int:
    """How deep on the stack who uses the pool is, as our caller counts for ``here``.

    That is where ``connect`` was called: a pool of the application's own may have
    methods between that and us, and these are not what took the connection. 1 if it was
    entered by another way.
    """
    frame: FrameType | None = _getframe(1)
    for depth in range(1, _DEEPEST):
        if frame is None:
            break
        if frame.f_code.co_name == "connect" and frame.f_globals is _NAMES:
            return depth + 1
        frame = frame.f_back
    return 1


def returning(  # noqa: C901  likewise
    watch: Watch, take_back: Callable[[Any], None], owner: Callable[[], Owner]
) -> Callable[[Any], None]:
    """What takes the place of ``pool._return_conn``, by which every check-in ends.

    It marks first: once the record is back, another thread may have it.
    """
    broke, left_alone, came_back = watch.broke, watch.left_alone, watch.came_back
    following, rest = watch.following.connections, watch.following.rest

    def return_conn(record: Any) -> None:
        try:
            connection = record.info.get(KEY)
            if connection is not None:
                # A weak reference to what the application had of it.
                holder = connection.holder
                if holder is None or holder() is None:
                    left_alone(connection)
                connection.holder = None
                left = connection.returned(monotonic())
                if following:
                    following.discard(connection)
                    if not following and connection.pool.followed_left <= 0:
                        rest(connection.pool)
                if left:
                    came_back(connection, left, owner)
                if record.dbapi_connection is None:
                    # The record comes back alone, perhaps without a word of closing:
                    # so it is when a listener of the ``connect`` event fails.
                    connection.pool.ledger.dropped(connection, monotonic())
        except Exception as error:
            broke(error)
        take_back(record)

    return return_conn


def recreating(
    watch: Watch, again: Callable[[], Any], this: ref[Any]
) -> Callable[[], Any]:
    """What takes the place of ``pool.recreate``."""

    def recreate() -> Any:
        fresh = again()
        try:
            watch.follow(fresh)
            watch.let_go(this())
        except Exception as error:
            watch.broke(error)
        return fresh

    return recreate


def creating(watch: Watch, plain: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What takes the place of a pool's creator."""

    def create(record: Any) -> Any:
        began = monotonic()
        try:
            created = plain(record)
        except BaseException as error:
            if isinstance(error, Exception):
                watch.refused()
            unseen(error)
            raise
        watch.created(created, record, monotonic() - began)
        return created

    create.connmon = watch  # type: ignore[attr-defined]
    return create


def watch_of(pool: Any) -> Watch | None:
    """Who follows a pool already, if anyone does."""
    return getattr(vars(pool).get("connect"), "connmon", None)


_NAMES = globals()
"""By these a frame is known to be of a function here."""
