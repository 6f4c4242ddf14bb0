"""Write traces as a TLA+ module, and have TLC follow them."""

from collections.abc import Iterable, Sequence
from typing import Any

from tests.model import tlc
from tests.model.traces import Trace


def stuck(traces: Sequence[Trace]) -> list[int]:
    """Return the positions of the stuck traces: those that TLC can't follow to their end.

    TLC follows equal traces once. Many traces of a bug equal those of the code.
    """
    distinct: dict[str, tuple[int, Trace]] = {}
    numbers = [distinct.setdefault(_text(trace), (len(distinct) + 1, trace))[0] for trace in traces]
    followed = [trace for _, trace in distinct.values()]
    run = tlc.run("Trace", tlc.MODEL / "Trace.cfg", data={"TraceData": module(followed)})
    if run.violated is not None:
        number = int(run.counterexample.rpartition("/\\ trace = ")[2].partition("\n")[0])
        raise AssertionError(
            f"a trace violates {run.violated}\n{run.counterexample}\n{_described(followed[number - 1])}"
        )
    return [position for position, number in enumerate(numbers) if number not in run.accepted]


def module(traces: Iterable[Trace]) -> str:
    """Return module TraceData with the constants `Traces` and `TraceWorkers`, one worker for each call."""
    traces = list(traces)
    workers = max((len(trace.calls) for trace in traces), default=0)
    body = ",\n".join(map(_text, traces))
    constants = f"TraceWorkers == 1..{workers}\nTraces == <<\n{body}\n>>"
    return f"---- MODULE TraceData ----\nEXTENDS AdmitOne\n{constants}\n====\n"


def _text(trace: Trace) -> str:
    return _value({"calls": trace.calls, "events": trace.events})


def _value(value: Any) -> str:
    """Return a Python value as a TLA+ expression."""
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
    """Return a report of a stuck trace: its steps, the events that the model follows, and the first other one."""
    low, high = 0, len(trace.events)  # the model follows the first `low` events, and not the first `high`
    while high - low > 1:
        middle = (low + high) // 2
        start = Trace(trace.calls, trace.events[:middle], trace.steps)
        low, high = (low, middle) if stuck([start]) else (middle, high)
    followed, first = trace.events[:low], trace.events[low]
    before = next((event["table"] for event in reversed(followed) if event["table"]), "none")
    worker = first.get("worker")
    asked = trace.calls[worker - 1] if worker else "no call"
    return "\n".join(
        [
            _described(trace),
            "Events that the model follows:",
            *(str({name: value for name, value in event.items() if name != "table"}) for event in followed),
            f"The model has no action for the next event, of {asked}:",
            str(first),
            f"The items before it: {before}",
        ]
    )


def _described(trace: Trace) -> str:
    return "\n".join(["Steps:", *trace.steps, "Calls, by worker:", *map(str, trace.calls)])
