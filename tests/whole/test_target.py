"""Tests that a program run by us is run as Python runs it.

Each program is run twice, by Python and by ``python -m connmon.attach``, and what can
be seen from outside is compared: its output, its errors, its exit status.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from connmon.client import target

SHOW = """
import sys
main = sys.modules["__main__"]
shown = {k: v for k, v in vars(main).items() if k not in ("main", "sys", "shown")}
for name, value in shown.items():
    print(name, type(value) if name in ("__loader__", "__spec__") else value)
print(__spec__ and (__spec__.name, __spec__.origin), sys.argv, sys.path[:2])
print(sys.modules["__main__"].__dict__ is globals(), sys.flags, sys.warnoptions)
print(sys.excepthook is sys.__excepthook__)
"""

CHILDREN = """
import multiprocessing, sys
class Thing:
    number = 7
def work(thing):
    return __name__, type(thing).__module__, thing.number, sys.argv[1:]
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(pool.map(work, [Thing()]))
"""

HOOK = """
import atexit, sys, traceback
def hook(kind, error, trace):
    print(kind, error, traceback.extract_tb(trace), sys.last_traceback is trace)
    print(sys.excepthook is hook)
sys.excepthook = hook
atexit.register(lambda: print("at exit", sys.excepthook is hook))
def fail():
    raise ValueError("x")
fail()
"""

PROGRAMS = {
    "show.py": SHOW,
    "package/__init__.py": "name = 'it'\n",
    "package/__main__.py": SHOW,
    "package/part.py": "from package import name\nprint(name, __package__)\n",
    "broken/__init__.py": "raise LookupError('broken')\n",
    "broken/part.py": "",
    "quiet.py": "",
    "raises.py": "def fail():\n    raise ValueError('x')\nfail()\n",
    "chained.py": "try:\n    1 / 0\nexcept Exception as e:\n    raise OSError from e\n",
    "syntax.py": "a = = 1\n",
    "message.py": "import sys\nsys.exit('bye')\n",
    "seven.py": "raise SystemExit(7)\n",
    "interrupted.py": "raise KeyboardInterrupt\n",
    "missing.py": "import no_such_module\n",
    "hook.py": HOOK,
    "children.py": CHILDREN,
    "pickled.py": "import pickle\nclass A: pass\nprint(pickle.dumps(A()))\n",
    "warns.py": "import warnings\nwarnings.warn('w', DeprecationWarning)\n",
}

#: Where the two differ: what is above the frames of a module, and finds it.
LOCATING = "<frozen runpy>", "/runpy.py", "<frozen importlib.util>", "importlib/util.py"


class TargetTestCase(SynchronousTestCase):
    """Programs in a directory of their own."""

    def setUp(self) -> None:
        """Write the programs."""
        self.directory = Path(self.mktemp()).absolute()
        for name, text in PROGRAMS.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def ran(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Python with these words, in the directory."""
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.directory,
            env={k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def same(
        self, *words: str, flags: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run the words by Python and by us, and compare; what they have in common."""
        plain = self.ran(*flags, *words)
        ours = self.ran(*flags, "-m", "connmon.attach", "--", *words)
        self.assertEqual(_comparable(plain.stdout), _comparable(ours.stdout))
        self.assertEqual(_comparable(plain.stderr), _comparable(ours.stderr))
        self.assertEqual(plain.returncode, ours.returncode)
        return ours


def _comparable(output: str) -> list[str]:
    """Lines of output, without the frames of what locates modules."""
    kept = []
    passing = False
    for line in output.splitlines():
        if line.startswith('  File "'):
            passing = any(each in line for each in LOCATING)
        elif not line.startswith("    "):
            passing = False
        if not passing and "^^^" not in line:
            kept.append(line)
    return kept


class MainTests(TargetTestCase):
    """What a program sees of itself."""

    def test_a_script(self) -> None:
        """However its path is written; the arguments are its own, whatever they say."""
        self.same("show.py", "--addr", "x", "--", "-m")
        self.same("./show.py")
        self.same(str(self.directory / "package" / ".." / "show.py"))

    def test_a_link_to_a_script(self) -> None:
        """Its modules are found beside the file that is linked to."""
        (self.directory / "elsewhere").mkdir()
        os.symlink("../show.py", self.directory / "elsewhere" / "link.py")
        self.same("elsewhere/link.py")

    def test_a_module(self) -> None:
        """One of a package, and one that is none."""
        self.same("-m", "show", "--help")
        self.same("-m", "package.part")

    def test_a_package(self) -> None:
        """Its ``__main__``, by name, by directory, and from a zip file."""
        self.same("-m", "package", "a")
        self.same("package", "a")
        with zipfile.ZipFile(self.directory / "package.zip", "w") as file:
            file.writestr("__main__.py", SHOW)
        self.same("package.zip", "a")

    def test_a_compiled_script(self) -> None:
        """As it is found in ``__pycache__``."""
        self.ran("-m", "py_compile", "show.py")
        (compiled,) = (self.directory / "__pycache__").glob("show.*.pyc")
        self.same(str(compiled))

    def test_a_command_on_the_path(self) -> None:
        """Its own name is not in the current directory."""
        script = self.directory / "bin" / "a-command"
        script.parent.mkdir()
        script.write_text("#!/usr/bin/env python3\n" + SHOW)
        script.chmod(0o755)
        self.patch(os, "environ", {**os.environ, "PATH": str(script.parent)})
        plain = self.ran(str(script), "x")
        ours = self.ran("-m", "connmon.attach", "--", "a-command", "x")
        self.assertEqual((0, ""), (ours.returncode, ours.stderr))
        self.assertEqual(plain.stdout, ours.stdout)

    def test_the_interpreter_s_options(self) -> None:
        """They are given before ``-m connmon.attach``, and hold."""
        self.same("show.py", flags=("-I", "-X", "dev", "-W", "error", "-O"))
        if sys.version_info >= (3, 11):
            self.same("show.py", flags=("-P",))
            self.same("package", flags=("-P",))
        self.same("warns.py")
        self.assertEqual(1, self.same("warns.py", flags=("-W", "error")).returncode)


class EndTests(TargetTestCase):
    """How a program ends, and what is shown of that."""

    def test_uncaught_errors(self) -> None:
        """The traceback is the program's own, and nothing else."""
        for name in ("raises.py", "chained.py", "missing.py", "syntax.py"):
            done = self.same(name)
            self.assertNotIn("connmon", done.stderr)
        self.same("-m", "raises")
        self.assertNotIn("connmon", self.same("-m", "broken.part").stderr)

    def test_exit_statuses(self) -> None:
        """As the program says; of one that is interrupted, as of a signal."""
        self.assertEqual(1, self.same("message.py").returncode)
        self.assertEqual(7, self.same("seven.py").returncode)
        self.assertEqual(-signal.SIGINT, self.same("interrupted.py").returncode)
        self.same("-m", "interrupted")

    def test_an_excepthook_of_the_program(self) -> None:
        """It is called as ever, and is still in its place when the program ends."""
        self.assertIn("at exit True", self.same("hook.py").stdout)

    def test_children_of_multiprocessing(self) -> None:
        """They find the program's main module, however they are started."""
        done = self.same("children.py", "an-argument")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.same("-m", "children")

    def test_pickling(self) -> None:
        """What is of the main module is found in it."""
        self.same("pickled.py")


class MistakeTests(TargetTestCase):
    """What cannot be run is told in one line, with status 2."""

    def test_nothing_to_run(self) -> None:
        """Each names what was expected."""
        for words, said in (
            ([], "no program"),
            (["-m"], "no module after -m"),
            (["-c", "pass"], "options of the interpreter go before"),
            (["nowhere.py"], "no script 'nowhere.py' here or on PATH"),
            (["./nowhere.py"], "no script './nowhere.py'"),
            (["."], "can't find '__main__' module"),
            (["-m", "nowhere"], "no module 'nowhere'"),
            (["-m", "package.nowhere"], "no module 'package.nowhere'"),
            (["-m", "quiet.nowhere"], "no module 'quiet.nowhere'"),
            (["-m", "nowhere.at.all"], "no module 'nowhere.at.all'"),
            (["-m", ".."], "module '..'"),
            (["-m", "sys"], "'sys' has no code"),
        ):
            done = self.ran("-m", "connmon.attach", "--", *words)
            self.assertEqual((2, ""), (done.returncode, done.stdout), words)
            self.assertEqual(1, done.stderr.count("\n"), done.stderr)
            self.assertIn(said, done.stderr)

    def test_a_script_that_cannot_be_read(self) -> None:
        """Or that is no Python's."""
        (self.directory / "other.pyc").write_bytes(b"no magic, but long enough")
        done = self.ran("-m", "connmon.attach", "--", "other.pyc")
        self.assertEqual(2, done.returncode)
        self.assertIn("can't run 'other.pyc'", done.stderr)

    def test_parse(self) -> None:
        """The words after the program are its arguments."""
        parsed = target.parse(["-m", "a.b", "-m", "--", "c"])
        self.assertEqual(target.Target("a.b", True, ("-m", "--", "c")), parsed)
