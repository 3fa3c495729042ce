"""Tests of which line of an application took a connection."""

from __future__ import annotations

import asyncio
import dis
import gc
import os
import pprint
import string
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from functools import wraps
from importlib import import_module
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, ForeignKey, Integer, Table, create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import (
    Session,
    clear_mappers,
    declarative_base,
    relationship,
    scoped_session,
    sessionmaker,
)
from sqlalchemy.pool import QueuePool
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from connmon.client import sites
from connmon.client.sites import LIMIT, Site, by_frames, by_names, described, here

ONE = text("SELECT 1")

LINES = Path(__file__).read_text("utf-8").splitlines()


def place(function: str) -> str:
    """What is told of a function here: its line that is marked as the site."""
    start = next(
        number
        for number, line in enumerate(LINES)
        if line.lstrip().startswith((f"def {function}(", f"async def {function}("))
    )
    marked = next(
        number for number in range(start, len(LINES)) if "# site" in LINES[number]
    )
    return f"tests/client/test_sites.py:{marked + 1} {function}"


def hear(pool: Any) -> list[str]:
    """What is told of each checkout from now on."""
    told: list[str] = []
    enter = pool.connect

    def connect() -> Any:
        fairy = enter()
        told.append(described(here(2)))
        return fairy

    pool.connect = connect
    return told


# An application's ways to take a connection.


def raw(engine: Any) -> None:
    """Without SQLAlchemy's connection."""
    engine.pool.connect().close()  # site


def core(engine: Any) -> None:
    """The plain way."""
    with engine.connect() as connection:  # site
        connection.execute(ONE)


def begin(engine: Any) -> None:
    """With a transaction."""
    with engine.begin() as connection:  # site
        connection.execute(ONE)


def orm(engine: Any) -> None:
    """A session connects with its first statement."""
    with Session(engine) as session:
        session.execute(
            ONE,
        )  # on Python 3.10 to 3.13, a call's line is its first


def query(engine: Any) -> None:
    """A session's older way."""
    with Session(engine) as session:
        list(session.query(Parent).limit(1))  # site


def registry(engine: Any) -> None:
    """A session of this thread's, through generated methods."""
    session = scoped_session(sessionmaker(engine))
    session.execute(ONE)  # site
    session.remove()


def retried(function: Callable[..., None]) -> Callable[..., None]:
    """Try again."""

    @wraps(function)
    def again(*arguments: Any) -> None:
        function(*arguments)

    return again


@retried
def decorated(engine: Any) -> None:
    """By a decorator of the application's."""
    with Session(engine) as session:
        session.execute(ONE)  # site


@contextmanager
def session_scope(engine: Any) -> Iterator[Session]:
    """A helper for all the application."""
    with Session(engine) as session:
        session.execute(ONE)  # site
        yield session


def scoped(engine: Any) -> None:
    """Has a helper take it."""
    with session_scope(engine) as session:
        session.execute(ONE)


@contextmanager
def late_scope(engine: Any) -> Iterator[Session]:
    """A helper that only makes the session."""
    with Session(engine) as session:
        yield session


def late(engine: Any) -> None:
    """The session of a helper connects here."""
    with late_scope(engine) as session:
        session.execute(ONE)  # site


def anonymous(engine: Any) -> None:
    """In a function without a name."""
    take = [lambda: engine.connect().close()]
    take[0]()


Base: Any = declarative_base()


class Parent(Base):  # type: ignore[misc]
    """One of two tables."""

    __tablename__ = "parent"
    id = Column(Integer, primary_key=True)
    children = relationship("Child")


class Child(Base):  # type: ignore[misc]
    """The other, read when it is first looked at."""

    __tablename__ = "child"
    id = Column(Integer, primary_key=True)
    parent_id = Column(Integer, ForeignKey("parent.id"))


def lazy(parent: Parent) -> None:
    """Nobody thinks of a connection here."""
    list(parent.children)  # site


@dataclass
class Order:
    """A row that is a dataclass, with methods that nobody wrote."""

    lines: list[Any] = field(default_factory=list)
    id: int = 1

    __hash__ = object.__hash__


@dataclass
class OrderLine:
    """Another, read when an order's lines are first looked at."""

    order_id: int
    id: int = 1


def map_orders() -> Any:
    """Have SQLAlchemy know them; what it knows of tables."""
    known = declarative_base().registry
    orders = Table("orders", known.metadata, Column("id", Integer, primary_key=True))
    lines = Table(
        "lines",
        known.metadata,
        Column("id", Integer, primary_key=True),
        Column("order_id", Integer, ForeignKey("orders.id")),
    )
    known.map_imperatively(OrderLine, lines)
    known.map_imperatively(Order, orders, properties={"lines": relationship(OrderLine)})
    return known.metadata


def formatted(order: Order) -> None:
    """A template looks at the lines."""
    string.Formatter().format("{0.lines}", order)  # site


def as_dictionary(order: Order) -> None:
    """The standard library looks at the lines."""
    asdict(order)  # site


def printed(order: Order) -> None:
    """A generated method looks at the lines, for the standard library."""
    pprint.pformat(order)  # site


def represented(order: Order) -> None:
    """A generated method looks at the lines."""
    repr(order)  # site


def compared(order: Order) -> None:
    """A generated method looks at the lines of both."""
    order.__eq__(Order())  # site


class SyncTests(SynchronousTestCase):
    """A plain engine."""

    def setUp(self) -> None:
        """An engine whose checkouts are heard."""
        self.engine = create_engine(
            "sqlite://",
            poolclass=QueuePool,
            pool_size=1,
            connect_args={"check_same_thread": False},
        )
        self.addCleanup(self.engine.dispose)
        Base.metadata.create_all(self.engine)
        self.told = hear(self.engine.pool)

    def test_each_way(self) -> None:
        """The line that asked, the first time as later."""
        for function in (raw, core, begin, query, registry, decorated, late):
            for _ in range(3):
                function(self.engine)
            self.assertEqual([place(function.__name__)] * 3, self.told)
            self.told.clear()

    def test_a_call_of_many_lines(self) -> None:
        """Begins where it begins."""
        orm(self.engine)
        first = next(n for n, line in enumerate(LINES) if "session.execute(" in line)
        self.assertEqual([f"tests/client/test_sites.py:{first + 1} orm"], self.told)

    def test_a_helper(self) -> None:
        """Is the site, if it takes the connection itself."""
        scoped(self.engine)
        self.assertEqual([place("session_scope")], self.told)

    def test_a_lambda(self) -> None:
        """Is told as Python calls it."""
        anonymous(self.engine)
        self.assertTrue(self.told[0].endswith("<lambda>"), self.told)
        self.assertTrue(self.told[0].startswith("tests/client/test_sites.py:"))

    def test_a_lazy_attribute(self) -> None:
        """The line that looked at it."""
        with Session(self.engine) as session:
            session.add(Parent(id=1))
            session.commit()
            parent: Any = session.get(Parent, 1)
            session.rollback()
            self.told.clear()
            lazy(parent)
        self.assertEqual([place("lazy")], self.told)

    def test_what_looks_at_an_attribute_for_others(self) -> None:
        """Is passed by: the standard library, and the methods of a dataclass."""
        map_orders().create_all(self.engine)
        self.addCleanup(clear_mappers)
        functions = (formatted, as_dictionary, printed, represented, compared)
        with Session(self.engine) as session:
            order = Order()
            session.add(order)
            for function in functions * 2:
                session.commit()
                self.told.clear()
                function(order)
                self.assertEqual([place(function.__name__)], self.told)

    def test_threads(self) -> None:
        """Each its own, also while what is remembered is thrown away."""
        self.patch(sites, "LIMIT", 2)
        functions = (raw, core, begin, registry, decorated, late)
        wrong: list[object] = []
        barrier = threading.Barrier(len(functions), timeout=30)

        def work(function: Callable[[Any], None]) -> None:
            engine = create_engine("sqlite://", poolclass=QueuePool)
            told = hear(engine.pool)
            barrier.wait()
            for _ in range(50):
                function(engine)
            wrong.extend(set(told) - {place(function.__name__)})
            engine.dispose()

        threads = [threading.Thread(target=work, args=[each]) for each in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], wrong)

    def test_a_thread_without_an_application(self) -> None:
        """Whatever is nearest to it."""
        thread = threading.Thread(target=self.engine.raw_connection)
        self.told.clear()
        thread.start()
        thread.join()
        self.assertEqual(["threading.py"], [each.split(":")[0] for each in self.told])
        self.assertTrue(self.told[0].endswith("run"), self.told)


async def aio_core(engine: Any) -> None:
    """The plain way."""
    async with engine.connect() as connection:  # site
        await connection.execute(ONE)


async def aio_orm(engine: Any) -> None:
    """With a session."""
    async with AsyncSession(engine) as session:
        await session.execute(ONE)  # site


@asynccontextmanager
async def aio_scope(engine: Any) -> AsyncIterator[AsyncSession]:
    """A helper."""
    async with AsyncSession(engine) as session:
        yield session


async def aio_late(engine: Any) -> None:
    """The session of a helper connects here."""
    async with aio_scope(engine) as session:
        await session.execute(ONE)  # site


async def aio_nested(engine: Any) -> None:
    """In a coroutine of a coroutine."""
    await aio_inner(engine)


async def aio_inner(engine: Any) -> None:
    """The inner one."""
    async with engine.begin() as connection:  # site
        await connection.execute(ONE)


def aio_called(session: Any) -> None:
    """A plain function in SQLAlchemy's greenlet."""
    session.execute(ONE)  # site


async def aio_run_sync(engine: Any) -> None:
    """Has it called."""
    async with AsyncSession(engine) as session:
        await session.run_sync(aio_called)


async def aio_limited(engine: Any) -> None:
    """For so long only."""
    async with AsyncSession(engine) as session:
        await asyncio.wait_for(session.execute(ONE), 60)  # site


# Tasks that are made of SQLAlchemy's own coroutines.


async def aio_gathered(engine: Any) -> None:
    """With others."""
    async with AsyncSession(engine) as session:
        await asyncio.gather(session.execute(ONE), asyncio.sleep(0))  # site


async def aio_gathered_again(engine: Any) -> None:
    """From another line."""
    async with AsyncSession(engine) as session:
        await asyncio.gather(session.execute(ONE))  # site


async def aio_wrapped(engine: Any) -> None:
    """Of what can be awaited, but is no coroutine."""
    (connection,) = await asyncio.gather(engine.connect())  # site
    await connection.close()


async def aio_shielded(engine: Any) -> None:
    """Not to be cancelled."""
    async with AsyncSession(engine) as session:
        await asyncio.shield(session.execute(ONE))  # site


async def aio_task(engine: Any) -> None:
    """Made for it."""
    connection = engine.connect()
    await asyncio.create_task(connection.start())  # site
    await connection.close()


async def aio_waited(engine: Any) -> None:
    """Whichever is first."""
    async with AsyncSession(engine) as session:
        await asyncio.wait([asyncio.create_task(session.execute(ONE))])  # site


async def aio_completed(engine: Any) -> None:
    """One after the other."""
    async with AsyncSession(engine) as session:
        for each in asyncio.as_completed([session.execute(ONE)]):
            await each  # site


async def aio_limited_together(engine: Any) -> None:
    """In a task of a task."""
    async with AsyncSession(engine) as session:
        await asyncio.gather(asyncio.wait_for(session.execute(ONE), 60))  # site


async def aio_rows(session: Any) -> AsyncIterator[Any]:
    """By what generates."""
    yield await asyncio.gather(session.execute(ONE))  # site


async def aio_iterated(engine: Any) -> None:
    """Asks what generates."""
    async with AsyncSession(engine) as session:
        async for _ in aio_rows(session):
            pass


async def aio_grouped(engine: Any) -> None:
    """In a group of tasks."""
    group: Any = vars(asyncio)["TaskGroup"]
    async with AsyncSession(engine) as session, group() as tasks:  # site
        tasks.create_task(session.execute(ONE))


async def aio_apart(engine: Any) -> None:
    """In a task that nobody awaits."""
    done = asyncio.Event()
    async with AsyncSession(engine) as session:
        task = asyncio.create_task(session.execute(ONE))
        task.add_done_callback(lambda task: done.set())
        await done.wait()


class AsyncTests(SynchronousTestCase):
    """An engine of asyncio's."""

    def told(self, function: Callable[[Any], Any], **options: Any) -> list[str]:
        """What is told of a coroutine's checkouts."""

        async def run() -> list[str]:
            engine = create_async_engine("sqlite+aiosqlite://", **options)
            told = hear(engine.sync_engine.pool)
            for _ in range(2):
                await function(engine)
            await engine.dispose()
            return told

        return asyncio.run(run())

    def test_each_way(self) -> None:
        """The line of the coroutine that awaits."""
        for function, site in (
            (aio_core, "aio_core"),
            (aio_orm, "aio_orm"),
            (aio_late, "aio_late"),
            (aio_nested, "aio_inner"),
            (aio_run_sync, "aio_called"),
        ):
            self.assertEqual([place(site)] * 2, self.told(function))

    def test_what_is_known(self) -> None:
        """Is not sought again."""
        self.told(aio_core)
        self.patch(sites, "_searched", None)
        self.assertEqual([place("aio_core")] * 2, self.told(aio_core))

    def test_a_time_limit(self) -> None:
        """Up to Python 3.11 it is a task, since then it is passed by."""
        self.assertEqual([place("aio_limited")] * 2, self.told(aio_limited))

    def test_a_task_of_sqlalchemy_s_own(self) -> None:
        """Is for the line that awaits it, whatever other lines await such."""
        functions = [
            aio_gathered,
            aio_gathered_again,
            aio_wrapped,
            aio_shielded,
            aio_task,
            aio_waited,
            aio_completed,
            aio_limited_together,
        ]
        if hasattr(asyncio, "TaskGroup"):
            functions.append(aio_grouped)
        for function in functions * 2:
            site = place(function.__name__)
            self.assertEqual([site] * 2, self.told(function))
        self.assertEqual([place("aio_rows")] * 2, self.told(aio_iterated))

    def test_a_task_without_an_application(self) -> None:
        """Is not blamed on the line that started the loop."""
        for each in self.told(aio_apart):
            self.assertTrue(each.startswith("asyncio/"), each)


class Stack:
    """Functions of modules with given names, each calling the next."""

    def __init__(
        self,
        *names: object,
        file: str = "<string>",
        ask: Callable[[int], Site | None] = here,
    ) -> None:
        """The outermost first; ``None`` is a module without a name."""
        self.call: Callable[[], Any] = lambda: ask(2)
        for number, name in reversed(list(enumerate(names))):
            env: dict[str, Any] = {"call": self.call}
            if name is not None:
                env["__name__"] = name
            code = f"def f{number}():\n    return call()\n"
            exec(compile(code, file, "exec"), env)
            self.call = env[f"f{number}"]

    def replace(self, number: int, inner: Stack) -> None:
        """Have one of the functions call another stack from now on."""
        function: Any = self.call
        for _ in range(number):
            function = function.__globals__["call"]
        function.__globals__["call"] = inner.call

    def site(self) -> str:
        """The function that is found, the first time and later."""
        first, second = (described(self.call()) for _ in range(2))
        assert first == second
        return first


#: Modules, and how each is regarded.
KINDS = {
    "sqlalchemy.orm": "ours",
    "connmon.client.listeners": "ours",
    "contextlib": "framework",
    "pprint": "framework",
    "pandas.io.sql": "framework",
    "asyncio.tasks": "framework",
    "shop.orders": "application",
    "__main__": "application",
    "asyncio.events": "loop",
    "threading": "loop",
}

TELLS_MODULES = hasattr(sys, "_getframemodulename")

WAYS = [here, by_frames] + [by_names] * TELLS_MODULES


def expected(names: list[str]) -> int:
    """Which of these modules, the outermost first, is the site."""
    fallback = None
    for number in reversed(range(len(names))):
        kind = KINDS.get(names[number], "application")
        if kind == "application":
            return number
        if kind != "ours" and fallback is None:
            fallback = number
        if kind == "loop":
            break
    assert fallback is not None
    return fallback


class ModuleTests(SynchronousTestCase):
    """What is passed by, and what is not."""

    def test_frameworks(self) -> None:
        """Are passed by, in packages too, up to the application."""
        for name in (*sites.FRAMEWORKS, "sqlalchemy.orm.session", "pandas.io.sql"):
            stack = Stack("shop.orders", name, "sqlalchemy.engine.base")
            self.assertEqual("<string>:2 f0", stack.site())

    def test_names_that_begin_alike(self) -> None:
        """Are somebody else's, as is a package of one's own for SQLAlchemy."""
        for name in (
            "sqlalchemyish",
            "nova.db.sqlalchemy.api",
            "connmon.demo.programs",
            "pandas2",
            "__main__",
        ):
            stack = Stack("shop", name, "sqlalchemy.engine.base", "connmon.client.x")
            self.assertEqual("<string>:2 f1", stack.site())

    def test_nothing_but_frameworks(self) -> None:
        """The innermost that is not SQLAlchemy, up to the loop that runs it all."""
        outer = ("shop", "asyncio.events", "asyncio.tasks")
        for inner, site in ((("pandas", "sqlmodel"), "f4"), ((), "f2")):
            stack = Stack(*outer, *inner, "sqlalchemy.engine")
            self.assertEqual(f"<string>:2 {site}", stack.site())

    def test_the_standard_library(self) -> None:
        """Is passed by, by where its files are."""
        for name in ("dis", "pprint", "string", "os", "importlib.util", "logging"):
            stack = Stack("shop", name, "sqlalchemy.engine.base")
            self.assertEqual("<string>:2 f0", stack.site(), name)

    def test_modules_called_like_the_standard_library_s(self) -> None:
        """Are the application's if they are elsewhere, as where packages are."""
        library = os.path.dirname(dis.__file__)
        self.addCleanup(sites._kinds.clear)
        for file in (
            "/srv/shop/queue.py",
            f"{library}/site-packages/queue.py",
            f"{library}/site-packages/queue/__init__.py",
            f"{library}/queues.py",
            None,
        ):
            own = ModuleType("queue")
            if file is not None:
                own.__file__ = file
            self.patch(sys, "modules", {**sys.modules, "queue": own})
            sites._kinds.clear()
            stack = Stack("shop", "queue", "sqlalchemy.engine.base")
            self.assertEqual("<string>:2 f1", stack.site(), file)

    def test_a_module_that_answers_for_itself(self) -> None:
        """Is not asked what it is."""

        class Answering(ModuleType):
            def __getattribute__(self, name: str) -> Any:
                raise AssertionError(name)

        self.addCleanup(sites._kinds.clear)
        self.patch(sys, "modules", {**sys.modules, "queue": Answering("queue")})
        sites._kinds.clear()
        stack = Stack("shop", "queue", "sqlalchemy.engine.base")
        self.assertEqual("<string>:2 f1", stack.site())

    def test_generated_methods(self) -> None:
        """Are passed by, other code without a file is not, whatever it is called."""
        written = "class Row:\n    def __repr__(self):\n        return call()\n"
        nested = "def make():\n def __repr__(self): return call()\n return __repr__"
        for file, name, code in (
            ("<string>", "__repr__", written),
            ("<string>", "make.<locals>.__repr__", f"\n{nested}"),
            ("<attrs generated repr shop.Row>", "", written),
        ):
            env: dict[str, Any] = {"__name__": "shop", "call": lambda: here(2)}
            exec(compile(code, file, "exec"), env)
            method = env["make"]() if "make" in env else env["Row"].__repr__
            for _ in range(2):
                told = described(method(None))
                self.assertEqual(bool(name), told.startswith(file), told)

    def test_loops(self) -> None:
        """Hide who started them."""
        for name in sites.LOOPS:
            stack = Stack("shop", name, "sqlalchemy.engine.base")
            self.assertEqual("<string>:2 f1", stack.site())

    @given(st.lists(st.sampled_from([*KINDS]), max_size=9), st.booleans())
    def test_any_stack(self, names: list[str], anew: bool) -> None:
        """Is told alike by all ways to look at it."""
        if anew:
            sites._kinds.clear()
            sites._sites.clear()
        names = ["shop", *names]
        wanted = f"<string>:2 f{expected(names)}"
        for ask in WAYS:
            self.assertEqual(wanted, Stack(*names, ask=ask).site())

    def test_a_loop_that_is_known(self) -> None:
        """Is not taken for the application when it runs something else."""
        for ask in WAYS:
            loop = Stack("shop", "asyncio.events", "sqlalchemy.engine", ask=ask)
            self.assertEqual("<string>:2 f1", loop.site())
            loop.replace(1, Stack("pandas", "sqlalchemy", file="pd.py", ask=ask))
            self.assertEqual("pd.py:2 f0", loop.site())

    def test_an_application_that_is_known(self) -> None:
        """Is not blamed for what its loop runs."""
        for ask in WAYS:
            shop = Stack("shop", "pandas", "sqlalchemy.engine", ask=ask)
            self.assertEqual("<string>:2 f0", shop.site())
            shop.replace(0, Stack("threading", "sqlalchemy", file="t.py", ask=ask))
            self.assertEqual("t.py:2 f0", shop.site())

    def test_what_is_known(self) -> None:
        """Is not sought again."""
        stacks = [Stack("shop", "contextlib", "sqlalchemy", ask=each) for each in WAYS]
        first = [stack.call() for stack in stacks]
        self.patch(sites, "_searched", None)
        self.assertEqual(first, [stack.call() for stack in stacks])

    def test_a_wrapper_that_says_it_is_another(self) -> None:
        """Is believed where Python tells the modules of functions."""
        stack = Stack("shop", "shop.wrappers")
        outer: Any = stack.call
        outer.__globals__["call"].__module__ = "sqlalchemy.engine.base"
        self.assertEqual(f"<string>:2 f{int(not TELLS_MODULES)}", stack.site())

    def test_depth(self) -> None:
        """The caller, its caller, and so on."""

        def inner(depth: int) -> str:
            return described(here(depth)).rpartition(".")[2].rpartition(" ")[2]

        def outer(depth: int) -> str:
            return inner(depth)

        self.assertEqual(["inner", "outer"], [outer(1), outer(2)])

    def test_modules_with_odd_names(self) -> None:
        """Are the application's."""
        for name in (None, [], 5, object(), ""):
            stack = Stack("shop", name, "sqlalchemy.engine.base")
            self.assertEqual("<string>:2 f1", stack.site())

    def test_names_that_are_guarded(self) -> None:
        """Nothing of the application's runs to find them."""

        class Guarded(dict[str, Any]):
            def __missing__(self, key: str) -> Any:
                raise AssertionError(key)

        env = Guarded(call=lambda: here(2))
        exec("def f0():\n    return call()", env)
        self.assertEqual("<string>:2 f0", described(env["f0"]()))

    def test_code_without_a_file(self) -> None:
        """Is told as Python calls it."""
        for file in ("<string>", "<stdin>", "<ipython-input-1-0a1b>"):
            self.assertEqual(f"{file}:2 f0", Stack("__main__", file=file).site())

    def test_code_outside_of_functions(self) -> None:
        """Is the module's."""
        env: dict[str, Any] = {"call": lambda: here(2)}
        exec("\n\nsite = call()\n", env)
        self.assertEqual("<string>:3 <module>", described(env["site"]))

    def test_nobody(self) -> None:
        """Nothing, where the stack is not so deep."""
        self.assertIsNone(here(10**6))
        self.assertEqual("", described(None))

    def test_somebody_else_raises(self) -> None:
        """An alarm that strikes meanwhile reaches the application."""

        class Alarming(dict[Any, Any]):
            def __getitem__(self, key: object) -> Any:
                raise KeyError("alarm")

        self.patch(sites, "_kinds", Alarming())
        with self.assertRaisesRegex(KeyError, "alarm"):
            here()


class GreenletTests(SynchronousTestCase):
    """Greenlets that are not SQLAlchemy's."""

    def test_parents(self) -> None:
        """Of others have nothing to do with what they run."""
        if sys.implementation.name != "cpython":
            raise SkipTest("frames lead on to the parent's by themselves here")
        greenlet = import_module("greenlet").greenlet
        call = Stack("sqlalchemy.engine").call
        # By one line, so that the site is known when the greenlet looks.
        found = []
        for run in (call, greenlet(call).switch):
            found.append(run())  # noqa: PERF401  a comprehension may be a frame
        self.assertIn("test_parents", described(found[0]))
        self.assertIsNone(found[1])

    def test_without_greenlets(self) -> None:
        """They are not imported for us."""
        modules = {k: v for k, v in sys.modules.items() if k != "greenlet"}
        self.patch(sys, "modules", modules)
        stack = Stack("asyncio.events", "sqlalchemy.engine.base")
        self.assertEqual("<string>:2 f0", stack.site())
        self.assertNotIn("greenlet", sys.modules)


#: No surrogates by themselves: PyPy has code objects keep their names as UTF-8.
ENCODABLE = st.characters(min_codepoint=1, exclude_categories=["Cs"])


def changed(code: CodeType, name: str, **changes: Any) -> CodeType:
    """Code of another name, which Python knows twice since 3.11."""
    changes["co_name"] = name
    if hasattr(code, "co_qualname"):
        changes["co_qualname"] = name
    return code.replace(**changes)


def place_of(file: str, name: str = "f", line: int = 7) -> str:
    """How code of this file and name is told."""
    code = (lambda: None).__code__
    code = changed(code, name, co_filename=file, co_firstlineno=line)
    return described(Site(code, -1))


class DescribedTests(SynchronousTestCase):
    """How a site is told."""

    def test_a_package(self) -> None:
        """From the directory nearest to it that Python looks in."""
        self.patch(sites, "_STARTED_IN", "/home/shop")
        self.patch(sys, "path", ["/srv", "/srv/nova/", "/usr/lib/python3", "", b"/"])
        for file, told in (
            ("/srv/nova/nova/db/api.py", "nova/db/api.py"),
            ("/srv/nova.py", "nova.py"),
            ("/srv/novas/api.py", "novas/api.py"),
            ("/usr/lib/python3/queue.py", "queue.py"),
            ("/opt/jobs/nightly.py", "/opt/jobs/nightly.py"),
            ("/v/lib/python3.12/site-packages/nova/api.py", "nova/api.py"),
            ("/usr/lib/python3/dist-packages/nova/api.py", "nova/api.py"),
            ("/home/shop/shop/orders.py", "shop/orders.py"),
            ("shop/orders.py", "shop/orders.py"),
        ):
            self.assertEqual(f"{told}:7 f", place_of(file))

    def test_in_a_tree(self) -> None:
        """What is below where the program was started is told from there."""
        self.patch(sites, "_STARTED_IN", "/home/shop")
        self.patch(sites, "_IN_TREE", True)
        self.patch(sys, "path", ["/home/shop/tests", "/srv"])
        for file, told in (
            ("/home/shop/tests/test_orders.py", "tests/test_orders.py"),
            ("/home/shop/venv/lib/site-packages/nova/api.py", "nova/api.py"),
            ("/srv/nova/api.py", "nova/api.py"),
            ("/opt/jobs/nightly.py", "/opt/jobs/nightly.py"),
        ):
            self.assertEqual(f"{told}:7 f", place_of(file))

    def test_relative_directories(self) -> None:
        """Are those of where the program was started."""
        self.patch(sites, "_STARTED_IN", "/home/shop")
        self.patch(sys, "path", ["lib", "."])
        for file in ("/home/shop/lib/orders.py", "/home/shop/orders.py"):
            self.assertEqual("orders.py:7 f", place_of(file))

    def test_no_directories(self) -> None:
        """All of the path is told."""
        self.patch(sys, "path", [])
        self.assertEqual("/srv/nova.py:7 f", place_of("/srv/nova.py"))

    def test_long_ones(self) -> None:
        """Keep their ends, the function and the line in any case."""
        told = place_of("/a" * 500 + "/api.py", "C" * 500 + ".get", 123456)
        self.assertEqual(255, len(told))
        self.assertTrue(told.startswith("..."), told)
        self.assertIn("/api.py:123456 ...CCC", told)
        self.assertTrue(told.endswith("CCC.get"), told)

    def test_what_cannot_be_printed(self) -> None:
        """Is left out, and a function's name is one word."""
        told = place_of("/srv/\x1b[2J\udcff.py", "a b\n")
        self.assertEqual("/srv/?[2J?.py:7 a?b?", told)

    @given(
        st.text(ENCODABLE),
        st.text(ENCODABLE, min_size=1),
        st.integers(0, 2**31 - 1),
    )
    def test_anything(self, file: str, name: str, line: int) -> None:
        """Is one printable line of bounded length, its parts known."""
        told = place_of(file, name, line)
        self.assertTrue(told.isprintable())
        self.assertLessEqual(len(told), 255)
        start, _, function = told.rpartition(" ")
        self.assertTrue(start.endswith(f":{line}"), told)
        self.assertEqual(len(function), min(len(name), 120))

    def test_lines(self) -> None:
        """Are those that the frame tells, for each instruction."""
        lines: list[tuple[str, int]] = []

        def ask(*arguments: object) -> str:
            frame: Any = sys._getframe(1)
            lines.append((described(here(2)), frame.f_lineno))
            return "1"

        for _ in range(2):
            int(
                ask()
                if ask(
                    ask(),
                    ask(),
                )
                else "0"
            )
            try:
                int(ask() + "x")
            except ValueError:
                ask()
            finally:
                ask()
        self.assertEqual(14, len(lines))
        self.assertEqual(14, sum(f"test_sites.py:{n} " in told for told, n in lines))


class MemoryTests(SynchronousTestCase):
    """What is kept, and what is not."""

    def test_one_place_is_one_site(self) -> None:
        """So it can be counted by."""
        found = [(here(), here()) for _ in range(3)]
        self.assertEqual(2, len({site for pair in found for site in pair}))

    def test_alike_in_two_files(self) -> None:
        """Code that is equal, but elsewhere, is another site."""
        first, second = (Stack("shop", file=each).call() for each in ("a.py", "b.py"))
        self.assertEqual("a.py:2 f0", described(first))
        self.assertEqual("b.py:2 f0", described(second))

    def test_endless_code(self) -> None:
        """Is told rightly each time, and forgotten."""
        template = compile("site = here()", "", "exec")
        codes = []
        for number in range(100_000):
            name = f"job{number}"
            code = changed(template, name, co_filename=f"<{name}>")
            env: dict[str, Any] = {"here": here, "__name__": name}
            exec(code, env)
            if number % 10 == 0:
                self.assertEqual(f"<{name}>:1 {name}", described(env["site"]))
            codes.append(weakref.ref(code))
        del code, env
        gc.collect()
        self.assertLessEqual(len(sites._sites), LIMIT)
        self.assertLessEqual(len(sites._kinds), LIMIT)
        self.assertLessEqual(sum(each() is not None for each in codes), LIMIT)

    def test_local_variables(self) -> None:
        """Die with their function, however the site was found."""

        class Local:
            pass

        died: list[weakref.ref[Local]] = []

        def work(call: Callable[[], Any]) -> Any:
            local = Local()
            died.append(weakref.ref(local))
            return call()

        kept: list[Any] = []
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for call in (here, lambda: here(10**6), Stack("asyncio.events").call):
            kept += [work(call), work(call)]
        if sys.implementation.name != "cpython":
            gc.collect()
        self.assertEqual([None] * 6, [each() for each in died])
        self.assertEqual(6, len(kept))

    def test_local_variables_of_coroutines(self) -> None:
        """Die as well."""
        died: list[weakref.ref[Any]] = []
        kept: list[Any] = []

        class Local:
            pass

        async def work(engine: Any) -> None:
            local = Local()
            died.append(weakref.ref(local))
            async with engine.connect():
                pass

        async def run() -> None:
            engine = create_async_engine("sqlite+aiosqlite://")
            pool: Any = engine.sync_engine.pool
            enter = pool.connect

            def connect() -> Any:
                kept.append(here(2))
                return enter()

            pool.connect = connect
            await work(engine)
            gc.collect()
            self.assertIsNone(died[0]())
            await engine.dispose()

        asyncio.run(run())
        self.assertIn("work", described(kept[0]))
