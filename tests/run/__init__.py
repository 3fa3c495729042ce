"""Tests of ``connmon run``, but for the processes: these are in ``tests.whole``."""
