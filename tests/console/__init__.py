"""Tests of connmon.console."""
