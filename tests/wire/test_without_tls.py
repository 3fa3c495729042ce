"""Tests that AMP comes without TLS, and that nobody else can tell.

Each in an interpreter of its own, where nothing has been imported yet. OpenSSL is
played by a package that notes that it was asked for, and then is as good as missing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import tests

ROOT = Path(tests.__file__).parent.parent

ASKED = """
import pathlib
pathlib.Path(__file__).with_name("asked").touch()
raise ImportError("only played")
"""


class WithoutTLSTests(SynchronousTestCase):
    """What an interpreter holds after each order of imports."""

    def run_script(self, script: str) -> bool:
        """Run it; whether somebody asked for OpenSSL."""
        with tempfile.TemporaryDirectory() as directory:
            package = Path(directory, "OpenSSL")
            package.mkdir()
            (package / "__init__.py").write_text(ASKED)
            script = (
                f"import sys\nsys.path[:0] = [{directory!r}, {str(ROOT)!r}]\n"
                f"from types import ModuleType\n{textwrap.dedent(script)}"
            )
            done = subprocess.run(
                [sys.executable, "-X", "dev", "-W", "error", "-c", script],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))
            return (package / "asked").exists()

    def test_the_client_asks_for_no_tls(self) -> None:
        """Nothing that it imports does; Twisted's servers and TLS stay out, too."""
        asked = self.run_script(
            """
            import connmon.client.plugin, connmon.client.agent, connmon.client.listeners
            brought = {
                "OpenSSL", "twisted.internet.reactor", "twisted.internet.ssl",
                "twisted.internet.tcp", "twisted.internet.posixbase",
                "twisted.internet.endpoints", "twisted.protocols.amp",
                "twisted.protocols.tls",
            } & set(sys.modules)
            assert not brought, brought
            """
        )
        self.assertFalse(asked)

    def test_nobody_else_can_tell(self) -> None:
        """What is imported afterwards is whole and fresh; hooks are as they were."""
        asked = self.run_script(
            """
            import builtins, twisted.protocols
            hooks = lambda: [
                builtins.__import__, list(sys.meta_path), list(sys.path_hooks),
                vars(builtins).keys(),
            ]
            before = hooks()
            from connmon.wire.without_tls import amp
            assert hooks() == before
            assert not hasattr(twisted.protocols, "amp")
            assert "twisted.protocols.amp" not in sys.modules
            assert amp.ssl is None

            from twisted.protocols import amp as theirs
            assert theirs is sys.modules["twisted.protocols.amp"] is not amp
            assert theirs.AMP is not amp.AMP
            assert theirs.__builtins__ is vars(builtins)
            assert vars(theirs).keys() == vars(amp).keys()
            """
        )
        self.assertTrue(asked)

    def test_amp_that_is_there_already(self) -> None:
        """It costs nothing more."""
        self.run_script(
            """
            from twisted.protocols import amp as theirs
            from connmon.wire.without_tls import amp
            assert amp is theirs
            """
        )

    def test_openssl_that_is_there_already(self) -> None:
        """Then neither does AMP with TLS."""
        self.run_script(
            """
            sys.modules["OpenSSL"] = ModuleType("OpenSSL")
            from connmon.wire.without_tls import amp
            assert amp is sys.modules["twisted.protocols.amp"]
            """
        )

    def test_importers_that_have_no_copies_to_give(self) -> None:
        """Memory is no reason not to work."""
        self.run_script(
            """
            class Finder:
                def find_spec(self, name, path=None, target=None):
                    if name != "twisted.protocols.amp" or self.asked:
                        return None
                    self.asked = True
                    raise LookupError(name)
                asked = False
            sys.meta_path.insert(0, Finder())
            from connmon.wire.without_tls import amp
            assert amp is sys.modules["twisted.protocols.amp"]
            """
        )

    def test_others_import_at_the_same_time(self) -> None:
        """A thread that imports AMP and OpenSSL meanwhile gets the real ones."""
        asked = self.run_script(
            """
            import builtins, importlib, threading
            plain, found = builtins.__import__, []

            def beside():
                try:
                    import OpenSSL
                except ImportError as error:
                    found.append(str(error))
                found.append(importlib.import_module("twisted.protocols.amp"))

            def slow(name, *args, **kwargs):
                # In the middle of our copy, another thread imports, from start to end.
                if name == "twisted.python.reflect" and not found:
                    builtins.__import__ = plain
                    thread = threading.Thread(target=beside)
                    thread.start()
                    thread.join()
                return plain(name, *args, **kwargs)

            import twisted.internet.defer, twisted.protocols.basic
            builtins.__import__ = slow
            from connmon.wire.without_tls import amp
            assert found[0] == "only played", found
            assert amp is not found[1] is sys.modules["twisted.protocols.amp"]
            """
        )
        self.assertTrue(asked)
