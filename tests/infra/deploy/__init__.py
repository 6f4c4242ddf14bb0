"""Tests of `make deploy` and its documentation."""
