"""Tests of what an operator runs, and of its documentation."""
