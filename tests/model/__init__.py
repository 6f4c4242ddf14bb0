"""Tests of the TLA+ model in docs/model: its invariants, its broken variants, and traces of the code.

`make model` runs this folder and prints a table. `tlc.py` runs TLC. `traces.py` records what the stepped services do,
`by_hand.py` runs chosen orders of requests, and `trace_data.py` writes the traces as TLA+ constants.
"""
