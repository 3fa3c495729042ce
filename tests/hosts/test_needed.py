"""What becomes of a host's test without its packages."""

from __future__ import annotations

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.hosts.needed import REQUIRE, require


class RequireTests(SynchronousTestCase):
    """``require``, with and without a reason to insist."""

    def test_present(self) -> None:
        """What is installed is not asked for."""
        require("twisted", "sqlalchemy", environ={REQUIRE: "1"})

    def test_skips(self) -> None:
        """What is missing skips the test, by name."""
        error = self.assertRaises(SkipTest, require, "twisted", "no_such", environ={})
        self.assertIn("no_such", str(error))
        self.assertNotIn("twisted", str(error))

    def test_fails_where_required(self) -> None:
        """Where hosts are required a missing one is a failure."""
        environ = {REQUIRE: "1"}
        error = self.assertRaises(AssertionError, require, "no_such", environ=environ)
        self.assertIn("no_such", str(error))
