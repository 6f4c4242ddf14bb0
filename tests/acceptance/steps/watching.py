"""Alarms and logs: whether operators learn what they must, and logs have no secret."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
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
    request_id = forged.headers.get("x-amzn-requestid")
    if request_id and "JSON logs" not in run.target.cannot:
        access = run.target.resources["AccessLogGroup"]
        run.wait_until(lambda: list(lines_of(client, access, run.begun, f'"{request_id}"')))
        yield "the access log has the request with the forged token"
    groups = log_groups(run)
    assert groups, "the stack has no log group"
    lines = [line for group in groups for _, line in lines_of(client, group, run.begun)]
    assert lines, "no function has logged anything"
    found = [secret for secret in [*run.secrets, _FORGED] if any(secret in line for line in lines)]
    assert not found, f"{len(found)} secrets of this run are in the logs"
    yield f"{len(lines)} lines of {len(groups)} log groups contain none of {len(run.secrets)} tokens and keys"
    fields = {key for line in lines if line.startswith("{") for key in _object(line)}
    if "JSON logs" in run.target.cannot:
        yield f"fields of the log lines: skipped: {run.target.cannot['JSON logs']}"
        return
    assert fields >= _FIELDS, f"no log line has {', '.join(sorted(_FIELDS - fields))}"
    yield f"log lines have {', '.join(sorted(_FIELDS))}"
    run.notes.append(f"A9, fields of JSON log lines: {', '.join(sorted(fields))}")


def log_groups(run: Run) -> list[str]:
    """Return the names of the log groups that exist now: the stack's, and others that have its name."""
    client, found = run.target.client("logs"), set()
    owned = set(run.target.of_type("AWS::Logs::LogGroup").values())
    for prefix in ("/aws/", "aws-waf-logs-"):
        for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
            found |= {each["logGroupName"] for each in page["logGroups"]}
    return sorted(
        name for name in found if name in owned or (run.target.stack in name and "acceptance" not in name)
    )


def lines_of(client: Any, group: str, since: datetime, pattern: str = "") -> Iterator[tuple[datetime, str]]:
    """Yield the time and the text of each line of a log group. Raise botocore's `ClientError`."""
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=group,
        startTime=int(since.timestamp() * 1000),
        **({"filterPattern": pattern} if pattern else {}),
    )
    for page in pages:
        for event in page["events"]:
            yield datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"]


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
