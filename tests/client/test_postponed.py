"""Tests of what is loaded only when it is used; each in a fresh interpreter."""

from __future__ import annotations

import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.whole.fleet import ran

TOO_OLD = sys.version_info < (3, 12, 3)
BEGIN = """
import sys
from connmon.client.postponed import postpone
"""
DEPRECATED = """
import warnings
warnings.simplefilter("ignore")
from twisted.python.compat import cookielib
use = cookielib.CookieJar
"""


class PostponedTests(SynchronousTestCase):
    """``http.cookiejar``, which Twisted imports."""

    def says(self, program: str) -> str:
        """What a program prints; it must end well, and without a complaint."""
        done = ran(sys.executable, "-W", "error", "-c", BEGIN + program)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout.strip()

    def test_twisted_does_not_load_it(self) -> None:
        """Nor what it would bring, but on Pythons where that is not safe."""
        said = self.says(
            "postpone()\n"
            "import twisted.python.compat\n"
            "print('http.client' in sys.modules, 'email.message' in sys.modules)\n"
        )
        self.assertEqual(f"{TOO_OLD} {TOO_OLD}", said)

    def test_the_application_does(self) -> None:
        """In whichever way it imports it, and whether or not Twisted has it."""
        for use in (
            "import http.cookiejar\nuse = http.cookiejar.CookieJar",
            "from http import cookiejar\nuse = cookiejar.CookieJar",
            "from http.cookiejar import CookieJar as use",
            DEPRECATED,
        ):
            said = self.says(
                f"postpone()\nimport twisted.python.compat\n{use}\n"
                "from http.cookiejar import CookieJar\n"
                "assert use is CookieJar, use\n"
                "print(type(sys.modules['http.cookiejar']).__name__)\n"
            )
            self.assertEqual("module", said)

    def test_what_is_loaded_is_left_alone(self) -> None:
        """As is a second call."""
        said = self.says(
            "import http.cookiejar\n"
            "before = sys.modules['http.cookiejar']\n"
            "postpone()\n"
            "postpone()\n"
            "print(sys.modules['http.cookiejar'] is before is http.cookiejar)\n"
        )
        self.assertEqual("True", said)

    def test_many_threads_at_once(self) -> None:
        """Whoever comes first loads it; nobody sees it half loaded."""
        said = self.says(
            "import threading\n"
            "sys.setswitchinterval(1e-6)\n"
            "postpone()\n"
            "gate = threading.Barrier(8)\n"
            "seen = []\n"
            "def use():\n"
            "    gate.wait()\n"
            "    import http.cookiejar\n"
            "    seen.append(http.cookiejar.CookieJar)\n"
            "threads = [threading.Thread(target=use) for _ in range(8)]\n"
            "[each.start() for each in threads]\n"
            "[each.join() for each in threads]\n"
            "print(len(seen), len(set(seen)))\n"
        )
        self.assertEqual("8 1", said)
