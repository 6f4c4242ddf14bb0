"""The report of `make bench`, its plots, and how it reaches docs/performance.md."""
