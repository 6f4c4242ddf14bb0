"""Tests of the local engines and the local server."""
