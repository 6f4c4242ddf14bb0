"""Linearizability tests: record what concurrent clients observe, and check it against a sequential specification.

A history is a list of calls, each with its arguments, its result, and the times at which it was sent and answered. It
is linearizable if some sequential order of the calls respects real time and gives every call the result that it had. A
call without an answer may take effect at any later time, or never.

checker/         `specification.py` is the product as a sequential state machine, written from the promises (P1-P4, P8)
                 and not from the code. `linearizability.py` searches for an order. `violations.py` shrinks a history
                 that has none, and prints it as a timeline.
interleavings/   Histories of the real services, run one store call at a time over an in-memory DynamoDB. Hypothesis
                 chooses the calls, their interleaving, crashes, lost replies, retries and the clock.
sockets/         Histories of clients on real sockets, with several app processes, real engines, faults between app and
                 DynamoDB, clock skew, and killed processes.

Each history ends with a read of the whole table, which is part of the check. The table's stream is then compared with
the table (P6). `planted.py` has bugs that these tests must find.
"""
