"""Tests of connmon.model."""
