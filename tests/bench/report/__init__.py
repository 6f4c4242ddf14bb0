"""The report of `make bench`, its plots, and the script that copies it into docs/performance.md."""
