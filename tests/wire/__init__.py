"""Tests of connmon.wire."""
