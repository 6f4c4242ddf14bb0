"""Tests against real engines, servers and processes on this machine."""
