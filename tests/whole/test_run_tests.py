"""``connmon run``, of test runners and their suites: each way to leak, and none."""

from __future__ import annotations

import json
from importlib.util import find_spec

from twisted.trial.unittest import SkipTest

from tests.whole.test_run import RunTestCase

SUITE = {
    "shop.py": """
        from sqlalchemy import create_engine, text

        engine = create_engine("sqlite:///shop.db")


        def take():
            return engine.connect()
    """,
    "tests/test_clean.py": """
        import pytest
        import shop


        @pytest.mark.parametrize("number", range(4))
        def test_returns(number):
            with shop.take() as connection:
                assert connection.scalar(shop.text("select 1")) == 1


        @pytest.fixture
        def connection():
            with shop.take() as connection:
                yield connection


        def test_fixture(connection):
            connection.execute(shop.text("select 1"))
    """,
    "tests/test_fails.py": """
        import shop


        def test_fails():
            with shop.take():
                raise ValueError("no fault of connections")
    """,
    "tests/test_leaks.py": """
        import gc
        import pytest
        import shop

        KEPT = []


        @pytest.mark.parametrize("number", range(3))
        def test_keeps(number):
            KEPT.append(shop.engine.connect())


        @pytest.mark.parametrize("number", range(3))
        def test_forgets(number):
            connection = shop.engine.connect()
            connection.execute(shop.text("select 1"))
            del connection
            gc.collect()


        def test_detaches():
            connection = shop.engine.raw_connection()
            connection.detach()
            del connection
            gc.collect()
    """,
    "tests/unit.py": """
        import unittest
        import shop


        class Tests(unittest.TestCase):
            def test_keeps(self):
                type(self).kept = shop.engine.connect()

            def test_returns(self):
                shop.engine.connect().close()


        if __name__ == "__main__":
            unittest.main()
    """,
}


FORGETFUL = {
    "many.py": """
        import shop

        for _ in range(400):
            shop.take()
    """,
    "cancelled.py": """
        import asyncio, threading
        from sqlalchemy.ext.asyncio import create_async_engine

        # The driver's thread finds the loop closed, and may be telling so, half a line
        # of it, when the process ends.
        threading.excepthook = lambda args: None
        engine = create_async_engine("sqlite+aiosqlite:///shop.db")

        async def forget():
            connection = engine.connect()
            await connection.start()

        async def main():
            await asyncio.create_task(forget(), name="forgetful")
            await asyncio.sleep(0)
            await engine.dispose()

        asyncio.run(main())
    """,
    "engines.py": """
        from sqlalchemy import create_engine

        for url in ("sqlite://", "sqlite:///shop.db") * 3:
            with create_engine(url).connect():
                pass
    """,
    "abandons.py": """
        import threading, time
        import connmon, shop

        kept = []
        worker = threading.Thread(
            target=lambda: kept.append(shop.take()), name="worker-1"
        )
        worker.start()
        worker.join()

        def leaks():
            (destination,) = connmon.status()["destinations"]
            pools = destination["pools"]
            return [each["leak"] for pool in pools for each in pool["connections"]]

        while not any(leaks()):
            time.sleep(0.01)
    """,
}


class LeakTests(RunTestCase):
    """Programs that return connections by chance, or not at all."""

    def setUp(self) -> None:
        """Write them."""
        super().setUp()
        self.write({"shop.py": SUITE["shop.py"], **FORGETFUL})

    def test_many_at_once(self) -> None:
        """None is missed, and they are one line of code."""
        done = self.ran("python", "many.py")
        self.assertEqual(
            [
                "1 process, 400 checkouts, 400 leaks",
                (
                    "returned by the garbage collector: shop.py:7 take (MainThread), "
                    "400 times, out TIME, pid PID many.py"
                ),
            ],
            done.said,
        )

    def test_asyncio(self) -> None:
        """Where the pool cannot take it back."""
        done = self.ran("python", "-W", "ignore", "cancelled.py")
        self.assertEqual((1, 2), (done.status, len(done.said)), done.err)
        self.assertIn("cancelled.py:11 forget (forgetful)", done.said[1])

    def test_engines_that_are_dropped(self) -> None:
        """What was returned to them is none, though nobody closed it."""
        done = self.ran("python", "engines.py")
        self.assertEqual((0, 1), (done.status, len(done.said)), done.err)

    def test_a_thread_that_ended(self) -> None:
        """It is told as what it is, and not once more for being out at the end."""
        done = self.ran("python", "abandons.py")
        self.assertEqual(
            [
                "1 process, 1 checkout, 1 leak",
                (
                    "held by a thread or task that ended: shop.py:7 take "
                    "(worker-1), out TIME, pid PID abandons.py"
                ),
            ],
            done.said,
        )


class SuiteTestCase(RunTestCase):
    """A project with tests."""

    def setUp(self) -> None:
        """Write it, where it finds its module."""
        super().setUp()
        self.write(SUITE)
        self.env = {"PYTHONPATH": str(self.directory), "PYTHONDONTWRITEBYTECODE": "1"}


class PytestTests(SuiteTestCase):
    """pytest, in one process and in several."""

    def setUp(self) -> None:
        """Ask for pytest."""
        if find_spec("pytest") is None:
            raise SkipTest("pytest is not installed")
        super().setUp()
        self.pytest = ["pytest", "-q", "-p", "no:cacheprovider"]

    def test_a_clean_suite(self) -> None:
        """It succeeds, and its output is what it is without us."""
        done = self.ran(*self.pytest, "tests/test_clean.py", env=self.env)
        self.assertEqual(0, done.status, done.out + done.err)
        self.assertIn("5 passed", done.out)
        self.assertEqual(["1 process, 5 checkouts, no leak"], done.said)

    def test_a_suite_that_fails(self) -> None:
        """That is what it is about; the connection was returned."""
        options = ("--status", "9")
        words = [*self.pytest, "tests/test_fails.py"]
        done = self.ran(*words, options=options, env=self.env)
        self.assertEqual(1, done.status, done.out + done.err)
        self.assertEqual(["1 process, 1 checkout, no leak"], done.said)

    def test_a_suite_that_leaks(self) -> None:
        """Every test passes, and it fails, with each line of code that leaked."""
        options = ("--status", "9", "--json", "found.json")
        words = [*self.pytest, "tests/test_leaks.py"]
        done = self.ran(*words, options=options, env=self.env)
        self.assertEqual(9, done.status, done.out + done.err)
        self.assertIn("7 passed", done.out)
        site = "tests/test_leaks.py"
        self.assertEqual(
            [
                "1 process, 7 checkouts, 7 leaks",
                (
                    f"never returned: {site}:10 test_keeps (MainThread), 3 times, "
                    "out TIME at exit, pid PID pytest"
                ),
                (
                    f"returned by the garbage collector: {site}:15 test_forgets "
                    "(MainThread), 3 times, out TIME, pid PID pytest"
                ),
                (
                    f"closed by nobody: {site}:22 test_detaches (MainThread), "
                    "out TIME, pid PID pytest"
                ),
            ],
            done.said,
        )
        told = json.loads((self.directory / "found.json").read_text())
        self.assertEqual((0, 0, 7), (told["status"], told["untold"], told["checkouts"]))

    def test_in_several_processes(self) -> None:
        """The workers of pytest-xdist are watched; one line of code is one line."""
        if find_spec("xdist") is None:
            raise SkipTest("pytest-xdist is not installed")
        # Which would otherwise leave some in the temporary directory.
        words = [*self.pytest, "-n", "2", "--basetemp", str(self.directory / "base")]
        words += ["tests/test_clean.py", "tests/test_leaks.py"]
        done = self.ran(*words, env=self.env)
        self.assertEqual(1, done.status, done.out + done.err)
        self.assertIn("12 passed", done.out)
        self.assertEqual("2 processes, 12 checkouts, 7 leaks", done.said[0])
        self.assertEqual(4, len(done.said), done.err)
        self.assertIn("test_leaks.py:10 test_keeps (MainThread), 3 times", done.err)


class UnittestTests(SuiteTestCase):
    """The standard library's runner."""

    def test_each_way_to_start_it(self) -> None:
        """As a script, and as a module."""
        for words in (["tests/unit.py"], ["-m", "unittest", "tests/unit.py"]):
            done = self.ran("python", *words, env=self.env)
            self.assertEqual(1, done.status, done.err)
            self.assertEqual("1 process, 2 checkouts, 1 leak", done.said[0])
            self.assertRegex(
                done.said[1], r"never returned: tests/unit.py:7 (Tests\.)?test_keeps "
            )

    def test_one_that_is_interrupted(self) -> None:
        """It is none of our business why it ended."""
        script = "import shop\nshop.take().close()\nraise KeyboardInterrupt\n"
        done = self.ran("python", "-c", script, env=self.env)
        self.assertEqual(130, done.status, done.err)
        self.assertEqual(["1 process, 1 checkout, no leak"], done.said)
