"""Tests of what the reporting thread says, and in which thread it is said."""

from __future__ import annotations

import logging
import sys
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.client import log, native


class Ear(logging.Handler):
    """Remembers what was said."""

    def __init__(self) -> None:
        """Nothing yet."""
        super().__init__()
        self.heard: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Remember it."""
        self.heard.append((record.levelname, record.getMessage()))


class LogTests(SynchronousTestCase):
    """At once, or kept for a thread that may."""

    def setUp(self) -> None:
        """Somebody who listens."""
        self.ear = Ear()
        logger = logging.getLogger("connmon")
        self.patch(logger, "propagate", False)
        self.addCleanup(logger.setLevel, logger.level)
        logger.setLevel(logging.INFO)
        logger.addHandler(self.ear)
        self.addCleanup(logger.removeHandler, self.ear)

    def test_at_once(self) -> None:
        """In a program as Python made it."""
        log.info("good %s", "news")
        log.warning("bad")
        self.assertEqual([("INFO", "good news"), ("WARNING", "bad")], self.ear.heard)
        log.pass_on()
        self.assertEqual(2, len(self.ear.heard))

    def kept(self, name: str, **attributes: Any) -> None:
        """With this module patched, nothing is said until it is passed on, once."""
        module: Any = ModuleType(name)
        vars(module).update(attributes)
        self.patch(sys, "modules", {**sys.modules, name: module})
        self.assertTrue(native.is_patched())
        log.info("good %s", "news")
        log.warning("bad")
        self.assertEqual([], self.ear.heard)
        log.pass_on()
        log.pass_on()
        self.assertEqual([("INFO", "good news"), ("WARNING", "bad")], self.ear.heard)

    def test_gevent(self) -> None:
        """Once it has patched something."""
        self.kept("gevent.monkey", saved={"time": {"sleep": None}})

    def test_eventlet(self) -> None:
        """Once it has patched something."""
        self.kept("eventlet.patcher", already_patched={"time": True})

    def test_imported_but_not_patched(self) -> None:
        """Nothing is kept."""
        modules = {
            "gevent.monkey": ModuleType("gevent.monkey"),
            "eventlet.patcher": ModuleType("eventlet.patcher"),
        }
        vars(modules["gevent.monkey"])["saved"] = {}
        vars(modules["eventlet.patcher"])["already_patched"] = {}
        self.patch(sys, "modules", {**sys.modules, **modules})
        self.assertFalse(native.is_patched())
        log.warning("bad")
        self.assertEqual([("WARNING", "bad")], self.ear.heard)

    def test_not_without_end(self) -> None:
        """A program that never comes by again costs no more than a few lines."""
        for number in range(1000):
            log._WAITING.append((logging.INFO, "%s", (number,)))
        log.pass_on()
        self.assertLessEqual(len(self.ear.heard), 20)
