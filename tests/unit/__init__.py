"""Tests of the pure parts: no network, no clock, no AWS."""
