"""Tests of connmon.whole."""
