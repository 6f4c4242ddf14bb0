"""Tests without AWS."""
