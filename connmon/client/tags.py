"""What an application calls its work: ``with connmon.tag("import-job"): ...``.

A checkout within is labelled so, in the thread, greenlet or task that is in it and in
the tasks it starts. Where no tag was ever used, checkouts do not even look.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextvars import ContextVar
from functools import partial, wraps
from inspect import (
    CO_ITERABLE_COROUTINE,
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
)
from typing import Any, TypeVar, cast

LONGEST = 255
"""Characters of a tag that are kept."""

CURRENT: ContextVar[str] = ContextVar("connmon_tag", default="")
"""The tag that holds now, empty for none."""

USED: list[bool] = []
"""Not empty once there was a tag in this process."""

_ENTERED: ContextVar[tuple[Tag, ...]] = ContextVar("connmon_tags", default=())
"""The tags that a context is in, the inner after the outer."""

Work = TypeVar("Work", bound=Callable[..., Any])
"""A function that is labelled."""


class Tag:
    """A label for the checkouts within, and for those of the functions it decorates.

    It keeps nothing of who is in it, so that one will do for any number of threads and
    tasks at once, and may be entered within itself.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        """Made by ``tag``; raises what that does."""
        if not isinstance(name, str):
            raise TypeError(f"connmon.tag: expected a str, not {type(name).__name__}")
        if not name.isprintable():
            raise ValueError(f"connmon.tag: expected printable text, not {name[:50]!r}")
        self._name = name[:LONGEST]

    def __enter__(self) -> None:
        """From now on it holds, in this context."""
        if not USED:
            USED.append(True)
        self._become((*_ENTERED.get(), self))

    def __exit__(self, *raised: object) -> None:
        """The one around it holds again, or the one within if that is not left yet.

        If it is left in another context than it was entered in, as a generator may be
        that a framework drives, nothing is to be undone there.
        """
        entered = _ENTERED.get()
        for index in reversed(range(len(entered))):
            if entered[index] is self:
                self._become(entered[:index] + entered[index + 1 :])
                return

    @staticmethod
    def _become(entered: tuple[Tag, ...]) -> None:
        _ENTERED.set(entered)
        CURRENT.set(entered[-1]._name if entered else "")

    def __call__(self, work: Work) -> Work:
        """The same function, labelled while it runs.

        So is a coroutine while it is awaited, and a generator in each of its steps, but
        not who goes through it, between them.
        """
        labelled = _as_it_is
        if iscoroutinefunction(work):
            labelled = _coroutine
        elif isasyncgenfunction(work):
            labelled = _async_generator
        elif isgeneratorfunction(work) and not _is_awaited(work):
            labelled = _generator
        return cast("Work", wraps(work)(labelled(self, work)))


def _is_awaited(work: Callable[..., Any]) -> bool:
    """Whether a function is a coroutine of the old kind, by ``types.coroutine``."""
    code = getattr(work, "__code__", None)
    return bool(getattr(code, "co_flags", 0) & CO_ITERABLE_COROUTINE)


# What takes the place of a function is of its kind, for frameworks ask for that.


def _as_it_is(label: Tag, work: Callable[..., Any]) -> Callable[..., Any]:
    def labelled(*args: Any, **kwargs: Any) -> Any:
        with label:
            return work(*args, **kwargs)

    return labelled


def _coroutine(label: Tag, work: Callable[..., Any]) -> Callable[..., Any]:
    async def labelled(*args: Any, **kwargs: Any) -> Any:
        with label:
            return await work(*args, **kwargs)

    return labelled


def _generator(label: Tag, work: Callable[..., Any]) -> Callable[..., Any]:
    def labelled(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        steps = work(*args, **kwargs)
        step = partial(steps.send, None)
        while True:
            with label:
                try:
                    told = step()
                except StopIteration as end:
                    return end.value
                finally:
                    # An error that was thrown in would keep this frame, and this it.
                    del step
            try:
                step = partial(steps.send, (yield told))
            except GeneratorExit:
                with label:
                    steps.close()
                raise
            except BaseException as error:
                step = partial(steps.throw, error)

    return labelled


def _async_generator(label: Tag, work: Callable[..., Any]) -> Callable[..., Any]:
    async def labelled(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        steps = work(*args, **kwargs)
        step = _first(steps)
        while True:
            with label:
                try:
                    told = await step
                except StopAsyncIteration:
                    return
                finally:
                    del step
            try:
                step = steps.asend((yield told))
            except GeneratorExit:
                with label:
                    await steps.aclose()
                raise
            except BaseException as error:
                step = steps.athrow(error)

    return labelled


def _first(steps: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """The first step of a generator that the event loop shall not close at its end.

    It closes the one around, which closes this one; at once, they would fail.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return steps.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


def tag(name: str) -> Tag:
    """Label the checkouts within; the inner of two tags holds.

    Raises ``TypeError`` for what is no text, and ``ValueError`` for what cannot be
    printed on a line.
    """
    return Tag(name)
