"""Tests of connmon."""
