"""Tests of `make restore`."""
