"""Write traces as a TLA+ module, and have TLC follow them."""

from collections.abc import Iterable, Sequence
from typing import Any

from tests.model import tlc
from tests.model.traces import Trace


def stuck(traces: Sequence[Trace]) -> list[int]:
    """Return which traces are no behaviors of the model: the places of those that TLC could not follow to their end."""
    run = tlc.run("Trace", tlc.MODEL / "Trace.cfg", data={"TraceData": module(traces)})
    if run.violated is not None:
        raise AssertionError(f"a trace leads to a state in which {run.violated} does not hold")
    return [place for place in range(len(traces)) if place + 1 not in run.accepted]


def module(traces: Iterable[Trace]) -> str:
    """Return module TraceData with the constants `Traces` and `TraceWorkers`, one worker for each call."""
    traces = list(traces)
    workers = max((len(trace.calls) for trace in traces), default=0)
    body = ",\n".join(_value({"calls": trace.calls, "events": trace.events}) for trace in traces)
    constants = f"TraceWorkers == 1..{workers}\nTraces == <<\n{body}\n>>"
    return f"---- MODULE TraceData ----\nEXTENDS AdmitOne\n{constants}\n====\n"


def _value(value: Any) -> str:
    """Return a value in TLA+: a record, a tuple, a set, a string, a number, a truth value, or None."""
    match value:
        case None:
            return "None"
        case bool():
            return str(value).upper()
        case str():
            return f'"{value}"'
        case dict():
            return "[" + ", ".join(f"{name} |-> {_value(one)}" for name, one in value.items()) + "]"
        case set():
            return "{" + ", ".join(sorted(map(_value, value))) + "}"
        case list() | tuple():
            return "<<" + ", ".join(map(_value, value)) + ">>"
    return str(value)


def explain(trace: Trace) -> str:
    """Return how far the model can follow a trace: the steps, and the first event that no action explains."""
    low, high = 0, len(trace.events)  # the model follows the first `low` events, and not the first `high`
    while high - low > 1:
        middle = (low + high) // 2
        start = Trace(trace.calls, trace.events[:middle], trace.steps)
        low, high = (low, middle) if stuck([start]) else (middle, high)
    worker = trace.events[low].get("worker")
    lines = ["Steps:", *trace.steps, "Calls, by worker:", *(str(call) for call in trace.calls), "Events:"]
    lines += [str({k: v for k, v in event.items() if k != "table"}) for event in trace.events[:low]]
    asked = trace.calls[worker - 1] if worker else "the environment"
    return "\n".join(
        [*lines, f"No action of the model explains the next one, by {asked}:", str(trace.events[low])]
    )
