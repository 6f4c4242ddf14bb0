"""Benchmarks: `make bench` runs them and writes one report. Most budgets apply to counts and ratios, not to times."""
