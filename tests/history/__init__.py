"""Histories: what clients were told, held against a machine that does one thing at a time."""
