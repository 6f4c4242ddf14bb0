"""The TLA+ model of docs/model: TLC explores it, finds each broken variant of it, and follows traces of the code.

`make model` runs this folder and prints a table. `tlc.py` runs TLC. `traces.py` records what the stepped services do,
and `trace_data.py` writes that as TLA+ constants.
"""
