"""Tests of the tests and of the tree."""
