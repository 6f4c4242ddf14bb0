"""Histories: every answer that clients get, checked against a machine that does one thing at a time."""
