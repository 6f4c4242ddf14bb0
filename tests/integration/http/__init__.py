"""Tests of HTTP: bodies, headers, caching, documentation."""
