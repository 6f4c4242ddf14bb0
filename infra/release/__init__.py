"""Releases: their versions, their records, what a new one may change, and reproducible builds."""
