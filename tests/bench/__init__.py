"""Benchmarks: `make bench` runs them all and writes one report. Ratios measured side by side, never a bare time."""
