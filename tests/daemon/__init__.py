"""Tests of connmon.daemon."""
