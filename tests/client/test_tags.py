"""Tags in contexts that come and go."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import copy_context

from twisted.trial.unittest import SynchronousTestCase

from connmon.client.tags import CURRENT, tag


def tagged() -> Iterator[str]:
    """What a framework drives: its beginning and its end need not share a context."""
    with tag("import-job"):
        yield CURRENT.get()


class ContextTests(SynchronousTestCase):
    """A block that is left elsewhere than it was entered."""

    def test_left_in_another_context(self) -> None:
        """As dependencies and fixtures are: no error, and no tag is left there."""
        steps = tagged()
        self.assertEqual("import-job", copy_context().run(next, steps))
        self.assertRaises(StopIteration, copy_context().run, next, steps)
        self.assertEqual("", CURRENT.get())

    def test_what_fails_in_it(self) -> None:
        """Passes, also if it is the kind of error that a foreign context raises."""
        with self.assertRaisesRegex(ValueError, "mine"), tag("import-job"):
            raise ValueError("mine")
        self.assertEqual("", CURRENT.get())
