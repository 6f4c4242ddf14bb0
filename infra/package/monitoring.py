"""The monitoring fragment of the template: alarms to one topic, metrics from logs, and a dashboard."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from infra.package.alarms import WATCHED, Watched, alarms
from infra.package.dashboard import dashboard
from infra.package.functions import logical_id
from infra.package.metrics import metric_filters

_QUEUE: Final = "AWS::SQS::Queue"


def monitoring_fragment(functions: Iterable[str], fragments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fragment for these functions and for the queues and streams of the other fragments."""
    names = sorted(functions)
    queues = sorted(name for name, each in fragments["Resources"].items() if each.get("Type") == _QUEUE)
    dead = dead_letter_queues(fragments)
    streams = _readers(fragments, ["Table"])
    sources = [name for name in queues if name not in dead]
    watched = Watched(functions=names, queues=sources, dead=dead, streams=streams)
    resources: dict[str, Any] = {f"{alarm.name}Alarm": alarm.resource() for alarm in alarms(watched)}
    resources |= metric_filters(names, _readers(fragments, sources))
    resources["Dashboard"] = dashboard([logical_id(name) for name in names], queues, dead, streams)
    outputs = {f"{name}Arn": {"Value": {"Fn::GetAtt": [name, "Arn"]}} for name in WATCHED}
    return {"Resources": resources, "Outputs": outputs}


def _readers(fragments: Mapping[str, Any], sources: Sequence[str]) -> list[str]:
    """Return the logical ids of the functions that have an event source mapping from one of `sources`."""
    return sorted(
        each["Properties"]["FunctionName"]["Ref"]
        for each in fragments["Resources"].values()
        if each.get("Type") == "AWS::Lambda::EventSourceMapping"
        and each["Properties"]["EventSourceArn"]["Fn::GetAtt"][0] in sources
    )


def dead_letter_queues(template: Mapping[str, Any]) -> list[str]:
    """Return the logical ids of the dead-letter queues, which are recognized by their names."""
    return sorted(
        name
        for name, resource in template["Resources"].items()
        if resource.get("Type") == _QUEUE and re.search(r"(?i)dlq$|dead_?letter", name)
    )
