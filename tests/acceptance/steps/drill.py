"""What stops or replaces parts of a stage: only for a stage that has no data of anybody else."""

import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Final

from botocore.exceptions import ClientError

from tests.acceptance.run import Run, SkippedError, code_of
from tests.acceptance.steps.watching import lines_of
from tests.support.proof.harness import Link, rfc3339, starts

_IDLE_SECONDS: Final = 20 * 60
_LATE_LOG_SECONDS: Final = 15 * 60  # access logs may arrive minutes after the API is deleted


def idle(run: Run) -> Iterator[str]:
    """Wait until connections and functions have gone cold, then book."""
    run.require("freezing functions")
    run.require_helper()
    time.sleep(_IDLE_SECONDS)
    [link] = run.make_links(run.event_type(run.host()))
    with run.timed("A6, a redeem after 20 idle minutes"):
        answer = run.redeem(link, starts(1)[0])
    assert answer.status_code == 201, code_of(answer)
    with run.timed("A6, its event after 20 idle minutes"):
        run.wait_for_event(lambda event: event.get("linkId") == link.link_id and event["type"] == "link.used")
    yield "a redeem and its event, after 20 minutes without traffic"


def restore(run: Run) -> Iterator[str]:
    """Book a link, restore the table to the time before, and try to book it again."""
    run.require("restores")
    _require_own_stage(run)
    event_type = run.event_type(run.host())
    [link] = run.make_links(event_type)
    time.sleep(6 * 60)  # DynamoDB can restore to five minutes ago
    before = datetime.now(UTC).replace(microsecond=0)
    assert run.redeem(link, starts(1)[0]).status_code == 201
    time.sleep(6 * 60)
    old, since = run.target.outputs["TableName"], datetime.now(UTC)
    try:
        with run.timed("A2, make restore"):
            _command(run, "infra.restore.command", "--to", rfc3339(before))
    finally:
        run.notes.append(_denied_note(run, since))
    run.target.forget()
    yield from _restored_table(run)
    again = run.redeem(link, starts(2)[1])
    assert code_of(again) in {"410 link-used", "410 link-revoked"}, code_of(again)
    yield f"after a restore to {before:%H:%M:%S} the link that was used later is dead: {code_of(again)}"
    yield f"the table {old}, as it was before the restore, stays: delete it when you don't need it"


def destroy(run: Run) -> Iterator[str]:
    """Delete the stage and create it again, with its data and its events."""
    run.require("destroying the stage")
    _require_own_stage(run)
    [link] = run.make_links(run.event_type(run.host()))
    before = set(run.target.of_type("AWS::Logs::LogGroup").values())
    with run.timed("A3, make destroy"):
        _command(run, "infra.deploy.deploy", "destroy", "--confirm", run.target.stage.name)
    time.sleep(_LATE_LOG_SECONDS)
    late = late_groups(run, before)
    run.notes.append(
        f"Late access logs after a destroy: {_LATE_LOG_SECONDS // 60} minutes later, these log groups exist again: "
        f"{', '.join(late)}. A deployment fails on them: delete them"
        if late
        else f"Late access logs after a destroy: no log group exists again {_LATE_LOG_SECONDS // 60} minutes later"
    )
    with run.timed("A3, make deploy of a deleted stage"):
        _command(run, "infra.deploy.deploy", "deploy", "--watch", "0")
    run.target.forget()
    answer = run.redeem(Link(link.link_id, link.token), starts(1)[0])
    assert answer.status_code == 201, code_of(answer)
    yield "a link that was made before the stage was deleted books after it was created again"
    yield "the deleted stack's queues and buckets stay, with the files of this run: `make destroy` lists them"


def late_groups(run: Run, groups: Collection[str]) -> list[str]:
    """Return which log groups of a deleted stack exist: a service that writes late creates its group again."""
    client, found = run.target.client("logs"), []
    for group in sorted(groups):
        page = client.describe_log_groups(logGroupNamePrefix=group)
        found += [group for each in page["logGroups"] if each["logGroupName"] == group]
    return found


def denied_calls(run: Run, since: datetime) -> list[tuple[datetime, str]]:
    """Return when and in which log group a function was denied a call, earliest first."""
    client = run.target.client("logs")
    groups = sorted(run.target.of_type("AWS::Logs::LogGroup").values())
    return sorted((at, group) for group in groups for at, _ in lines_of(client, group, since, "AccessDenied"))


def _denied_note(run: Run, since: datetime) -> str:
    """Return the answer to whether IAM's permissions have arrived when a restore swaps the table."""
    question = "IAM's propagation when a restore swaps the table: "
    try:
        denied = denied_calls(run, since)
    except ClientError as error:
        return f"{question}unknown, the logs can't be read ({error.response['Error']['Code']})"
    if not denied:
        return f"{question}no function was denied a call"
    groups = sorted({group for _, group in denied})
    seconds = (denied[-1][0] - denied[0][0]).total_seconds()
    return f"{question}{len(denied)} calls were denied in {seconds:.0f} s, in {', '.join(groups)}"


def _restored_table(run: Run) -> Iterator[str]:
    """Check what DynamoDB does not restore with a table, and make restore sets again."""
    client, table = run.target.client("dynamodb"), run.target.outputs["TableName"]
    ttl = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"]
    backups = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    run.notes.append(f"A5, the restored table: TTL {ttl}, point-in-time recovery {recovery}")
    assert (ttl, recovery) in {("ENABLED", "ENABLED"), ("ENABLING", "ENABLED")}, (
        f"TTL {ttl}, recovery {recovery}"
    )
    yield "the restored table has TTL and point-in-time recovery"


def _require_own_stage(run: Run) -> None:
    """Raise `SkippedError` if the stage has hosts that this run did not create."""
    others = [each for each in run.pages("/v1/hosts", "hosts") if each["name"] != run.state.name]
    if others:
        raise SkippedError(f"this stage has {len(others)} other hosts; use one without data")


def _command(run: Run, module: str, *arguments: str) -> None:
    """Run one of the operator's commands on the stage."""
    first, rest = (arguments[:1], arguments[1:]) if module == "infra.deploy.deploy" else ((), arguments)
    command = [sys.executable, "-m", module, *first, "--stage", run.target.stage.name, *rest]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stderr or done.stdout)[-1000:]
