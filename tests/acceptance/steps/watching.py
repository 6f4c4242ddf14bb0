"""Alarms and logs: whether operators learn what they must, and logs have no secret."""

import json
from collections.abc import Iterator
from typing import Any, Final

from infra.package.alarms import WATCHED
from tests.acceptance.run import Run, code_of

_FORGED: Final = "A" * 43
_ALARM: Final = "BadApiKeysAlarm"
_FIELDS: Final = {"event", "function", "correlationId"}  # docs/operate.md, "Log lines"


def alarms(run: Run) -> Iterator[str]:
    """Set one alarm off, and wait for its message. No deployment watches it."""
    run.require_helper()
    assert _ALARM not in WATCHED
    client, name = run.target.client("cloudwatch"), run.target.resources[_ALARM]
    client.set_alarm_state(
        AlarmName=name, StateValue="ALARM", StateReason=f"make acceptance, run {run.state.run}"
    )

    def look() -> bool:
        return any(run.state.run in json.dumps(each) for each in run.take("Alarms"))

    with run.timed("from an alarm to its message"):
        run.wait_until(look)
    yield f"{_ALARM} reached the topic"
    if "alarm evaluation" in run.target.cannot:
        yield f"back to OK by itself: skipped: {run.target.cannot['alarm evaluation']}"
        return
    with run.timed("until an alarm is OK again by itself"):
        run.wait_until(lambda: _state(run, name) == "OK")
    yield "it is OK again"


def logs(run: Run) -> Iterator[str]:
    """Send a forged token and a wrong key, and read the logs."""
    forged = run.send("GET", f"/s/{_FORGED}")
    assert forged.status_code == 404, code_of(forged)
    refused = run.send("GET", "/v1/me", headers={"Authorization": f"Bearer ao_{_FORGED}"})
    assert refused.status_code == 401, code_of(refused)
    client = run.target.client("logs")
    groups = [
        each["logGroupName"]
        for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/aws/")
        for each in page["logGroups"]
        if run.target.stack in each["logGroupName"] and "acceptance" not in each["logGroupName"]
    ]
    assert groups, "the stack has no log group"
    since = int(run.begun.timestamp() * 1000)
    lines = [line for group in groups for line in _lines(client, group, since)]
    assert lines, "no function has logged anything"
    found = [secret for secret in run.secrets if any(secret in line for line in lines)]
    assert not found, f"{len(found)} secrets of this run are in the logs"
    yield f"{len(lines)} lines of {len(groups)} log groups contain none of {len(run.secrets)} tokens and keys"
    fields = {key for line in lines if line.startswith("{") for key in _object(line)}
    if "JSON logs" in run.target.cannot:
        yield f"fields of the log lines: skipped: {run.target.cannot['JSON logs']}"
        return
    assert fields >= _FIELDS, f"no log line has {', '.join(sorted(_FIELDS - fields))}"
    yield f"log lines have {', '.join(sorted(_FIELDS))}"
    run.notes.append(f"A9, fields of JSON log lines: {', '.join(sorted(fields))}")


def _lines(client: Any, group: str, since: int) -> Iterator[str]:
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=since, PaginationConfig={"MaxItems": 5_000}
    )
    for page in pages:
        yield from (event["message"] for event in page["events"])


def _object(line: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return found


def _state(run: Run, name: str) -> str:
    found = run.target.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    state: str = found[0]["StateValue"]
    return state
