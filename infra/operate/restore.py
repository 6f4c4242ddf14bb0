"""`make restore`: a stage's table as it was at a moment, brought up to date from the archive of events (P1).

A table restored to a point in time has links live again that were used since. So bookings are closed first, and open
only once every event since then was redone; links of whose events one is missing are revoked. docs/operate.md.
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib.domain.team.api_keys import ApiKey
from infra.deploy import deploy as deploying
from infra.deploy.deploy import (
    Account,
    DeployError,
    Stage,
    deploy,
    explained,
    find_table,
    open_account,
    read_stage,
    stack_outputs,
)
from infra.deploy.stacks import StackError
from infra.local.table import table_properties
from infra.operate.revocations import Carried, carry_revocations
from infra.package.build import Package, make_package
from infra.package.command import PackageError
from infra.package.dependencies import ARM, X86, Target
from infra.package.fragments import TemplateError
from infra.paths import BUILD

MARGIN: Final = timedelta(
    minutes=15
)  # events are archived a little after what they tell of; redone twice is harmless
SETTLE_SECONDS: Final = 600.0  # EventBridge may take ten minutes to archive what it was given
LAGS_MILLISECONDS: Final = 60_000  # of the stream's consumer, since when something may be on its way still
POLL_SECONDS: Final = 5.0
_QUIET_POLLS: Final = 3
_WAIT_SECONDS: Final = 6 * 3600
_BACKUPS_SECONDS: Final = 30 * 60
_CLOSED: Final = "BookingsClosed"
_WAITING: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to restore. `table` is one that was restored by an earlier, interrupted run, to go on with.

    `bucket` is the one to deploy from, as `make deploy` has it.
    """

    moment: datetime
    accept_gap: bool
    table: str | None = None
    bucket: str | None = None


@dataclass(frozen=True)
class Restored:
    """The table that serves from now on, links looked at, those that were revoked, and what became of the API keys.

    `keys` is None where the old table is gone or not known, and with it the word on which keys were revoked.
    """

    table: str
    links: int
    revoked: list[str]
    keys: Carried | None


def restore(account: Account, stage: Stage, package: Package, plan: Plan, say: Say) -> Restored:
    """Do all of it; each step may be done again after an interruption. Raises `DeployError`, `StackError`."""
    found = stack_outputs(account, stage)
    _checked(plan, _gaps(account, found, plan.moment))
    # Whoever deploys the stage meanwhile, or after a run that failed, must not open it, nor put it over another table.
    stands = _as_it_stands(account, stage, found)
    _keep(stands or stage, closed=True)
    if stands is None:
        say(f"{found['TableName']} is gone, so nothing can be booked; ten minutes until all is archived …")
    else:
        say("Closing bookings; ten minutes until all that happened is archived …")
        _deploy(account, stands, package, plan, closed=True)
    time.sleep(SETTLE_SECONDS)
    # Looked at again: a booking made just before the API closed may not have been committed.
    gaps = _checked(plan, _gaps(account, found, plan.moment))
    table = plan.table or _copy(account, found["TableName"], plan.moment, say)
    _complete(account, table)
    # Before it serves, so that no revoked key ever opens it; and after, for what was revoked while it was put up.
    sources = _sources(account, found, table)
    carried = _carry(account, sources, table)
    stage = dataclasses.replace(stage, table=table)
    say(f"Serving {table}, closed …")
    _keep(stage, closed=True)
    _deploy(account, stage, package, plan, closed=True)
    late = _carry(account, sources, table)
    say("Replaying what happened since …")
    _replay(account, found, plan.moment)
    _drain(account, found)
    ended = _end(account, found, everything=bool(gaps))
    say("Opening bookings …")
    _deploy(account, stage, package, plan, closed=False)
    _keep(stage, closed=False)
    keys = carried and late and Carried(carried.revoked + late.revoked, late.lost)
    return Restored(table, ended["links"], ended["revoked"], keys)


def _as_it_stands(account: Account, stage: Stage, found: Mapping[str, str]) -> Stage | None:
    """Return the stage over the table that its stack has now, whatever its file says; None where that table is gone.

    A stack that was put over another table has none of its own: deployed without naming that one it would make one.
    """
    table = found["TableName"]
    if find_table(account, table) is None:
        return None
    pages = account.client("cloudformation").get_paginator("list_stack_resources")
    own = any(
        resource["LogicalResourceId"] == "Table"
        and resource.get("PhysicalResourceId") == table
        and not resource["ResourceStatus"].startswith("DELETE_")
        for page in pages.paginate(StackName=stage.stack)
        for resource in page["StackResourceSummaries"]
    )
    return dataclasses.replace(stage, table=None if own else table)


def _sources(account: Account, found: Mapping[str, str], table: str) -> list[str]:
    """Return the tables that know which keys were revoked: the one restored from, and the one that the stack has.

    After the swap the latter is the restored one already, from which nothing is to be carried.
    """
    described = find_table(account, table) or {}
    arn: str = described.get("RestoreSummary", {}).get("SourceTableArn", "")
    return sorted({arn.rpartition("/")[2], found["TableName"]} - {"", table})


def _carry(account: Account, sources: Sequence[str], table: str) -> Carried | None:
    """Carry the revocations of each table over; None where one is gone, or none is known, so that not all are known."""
    carried = [carry_revocations(account, source, table) for source in sources]
    known = [each for each in carried if each is not None]
    if not known or len(known) < len(carried):
        return None
    lost = {key.key_id: key for each in known for key in each.lost}
    return Carried([key for each in known for key in each.revoked], list(lost.values()))


def _checked(plan: Plan, gaps: list[str]) -> list[str]:
    """Return gaps that are accepted. Raises `DeployError` for any that are not."""
    if gaps and not plan.accept_gap:
        told = "\n".join(f"  {gap}" for gap in gaps)
        raise DeployError(
            f"What happened since {plan.moment:%Y-%m-%d %H:%M} UTC is not known whole:\n{told}\n"
            "Mend that first, or restore with GAP=revoke: every active link is then revoked, since any may be spent."
        )
    return gaps


def _gaps(account: Account, found: Mapping[str, str], moment: datetime) -> list[str]:
    """Return why the archive may not hold everything since a moment."""
    gaps = []
    archive = _archive(account, found)
    begins = _instant(archive["CreationTime"])
    if archive.get("RetentionDays"):
        begins = max(begins, datetime.now(UTC) - timedelta(days=archive["RetentionDays"]))
    if moment - MARGIN < begins:
        gaps.append(f"the archive of events begins at {begins:%Y-%m-%d %H:%M} UTC")
    waiting = _messages(account, found["OutboxDlqUrl"])
    if waiting:
        gaps.append(f"{waiting} records of the stream are in the outbox's dead-letter queue; docs/events.md")
    crashed = _crashes_since(account, found["OutboxCrashesBucketName"], moment - MARGIN)
    if crashed:
        gaps.append(f"objects that the outbox crashed over: {crashed}; make redrive-outbox processes them")
    lag = _lag(account, found["OutboxFunction"])
    if lag > LAGS_MILLISECONDS:
        gaps.append(f"the stream's consumer is {lag / 60_000:.0f} minutes behind; wait until it is not")
    return gaps


def _crashes_since(account: Account, bucket: str, moment: datetime) -> int:
    """Return how many batches the outbox crashed over since a moment; what lies there from before tells of before."""
    pages = account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(found["LastModified"] >= moment for page in pages for found in page.get("Contents", ()))


def _lag(account: Account, function: str) -> float:
    """Return how far the stream's consumer was behind lately, in milliseconds; 0 when it had nothing to do."""
    now = datetime.now(UTC)
    answer = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="IteratorAge",
        Dimensions=[{"Name": "FunctionName", "Value": function}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now,
        Period=300,
        Statistics=["Maximum"],
    )
    return max((point["Maximum"] for point in answer["Datapoints"]), default=0.0)


def _archive(account: Account, found: Mapping[str, str]) -> dict[str, Any]:
    """Return the archive of the stage's bus. Raises `DeployError` where there is none."""
    events = account.client("events")
    archives = events.list_archives(EventSourceArn=found["EventBusArn"])["Archives"]
    if not archives:
        raise DeployError("The bus has no archive, so nothing can be redone: deploy the stage first.")
    archive: dict[str, Any] = events.describe_archive(ArchiveName=archives[0]["ArchiveName"])
    return archive


def _copy(account: Account, source: str, moment: datetime, say: Say) -> str:
    dynamodb = account.client("dynamodb")
    target = f"{source.partition('-restored-')[0]}-restored-{datetime.now(UTC):%Y%m%d%H%M%S}"
    say(f"Restoring {source} as of {moment:%Y-%m-%d %H:%M:%S} UTC to {target}; this takes a while …")
    dynamodb.restore_table_to_point_in_time(
        SourceTableName=source,
        TargetTableName=target,
        RestoreDateTime=moment,
        BillingModeOverride="PAY_PER_REQUEST",
    )
    return target


def _complete(account: Account, table: str) -> None:
    """Give a restored table what a restore leaves out: stream, TTL, point-in-time recovery, deletion protection."""
    dynamodb = account.client("dynamodb")
    waiter = dynamodb.get_waiter("table_exists")
    attempts = int(_WAIT_SECONDS // 20)
    waiter.wait(TableName=table, WaiterConfig={"Delay": 20, "MaxAttempts": attempts})
    wanted = table_properties()
    stands = dynamodb.describe_table(TableName=table)["Table"]
    if not stands.get("StreamSpecification", {}).get("StreamEnabled"):
        stream = {"StreamEnabled": True, **wanted["StreamSpecification"]}
        dynamodb.update_table(TableName=table, StreamSpecification=stream)
        waiter.wait(TableName=table, WaiterConfig={"Delay": 20, "MaxAttempts": attempts})
    if not stands.get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
        waiter.wait(TableName=table, WaiterConfig={"Delay": 20, "MaxAttempts": attempts})
    living = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if living.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"}:
        dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification=wanted["TimeToLiveSpecification"]
        )
    _back_up(dynamodb, table, wanted["PointInTimeRecoverySpecification"])


def _back_up(dynamodb: Any, table: str, wanted: Mapping[str, Any]) -> None:
    """Switch point-in-time recovery on; a table that was just restored may have none to switch on for some minutes."""
    give_up = time.monotonic() + _BACKUPS_SECONDS
    while True:
        try:
            dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=wanted)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code != "ContinuousBackupsUnavailableException" or time.monotonic() > give_up:
                raise
        else:
            return
        time.sleep(POLL_SECONDS)


def _deploy(account: Account, stage: Stage, package: Package, plan: Plan, *, closed: bool) -> None:
    parameters = {**stage.parameters, _CLOSED: "yes" if closed else "no"}
    deploy(
        account,
        dataclasses.replace(stage, parameters=parameters),
        package,
        bucket=plan.bucket,
        watch_minutes=0,
    )


def _replay(account: Account, found: Mapping[str, str], moment: datetime) -> None:
    events = account.client("events")
    now = datetime.now(UTC)
    name = f"restore-{now:%Y%m%d%H%M%S}"
    events.start_replay(
        ReplayName=name,
        EventSourceArn=_archive(account, found)["ArchiveArn"],
        EventStartTime=moment - MARGIN,
        EventEndTime=now,
        # That rule alone: nobody is written to again, and no webhook is called.
        Destination={"Arn": found["EventBusArn"], "FilterArns": [found["RestoreRuleArn"]]},
    )
    give_up = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < give_up:
        replay = events.describe_replay(ReplayName=name)
        if replay["State"] == "COMPLETED":
            return
        if replay["State"] in {"FAILED", "CANCELLED", "CANCELLING"}:
            raise DeployError(
                f"The replay {name} ended as {replay['State']}: {replay.get('StateReason', '')}"
            )
        time.sleep(POLL_SECONDS)
    raise DeployError(f"The replay {name} did not end; go on later with TABLE=…")


def _drain(account: Account, found: Mapping[str, str]) -> None:
    """Wait until every replayed event was redone. Raises `DeployError` where one could not be."""
    give_up, quiet = time.monotonic() + _WAIT_SECONDS, 0
    while quiet < _QUIET_POLLS:
        if time.monotonic() > give_up:
            raise DeployError("The queue of replayed events does not empty; go on later with TABLE=…")
        time.sleep(POLL_SECONDS)
        quiet = 0 if _messages(account, found["RestoreQueueUrl"]) else quiet + 1
    dead = _messages(account, found["RestoreDlqUrl"])
    if dead:
        raise DeployError(
            f"{dead} events could not be redone; they are in {found['RestoreDlqUrl']}. Bookings stay closed: "
            "mend the cause, purge that queue, and go on with TABLE=…"
        )


def _end(account: Account, found: Mapping[str, str], *, everything: bool) -> dict[str, Any]:
    answer = account.client("lambda").invoke(
        FunctionName=found["RestoreFunction"],
        Payload=json.dumps({"end": {"everything": everything}}).encode(),
    )
    said: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise DeployError(f"The restore could not be ended: {said.get('errorMessage')}")
    return said


def _messages(account: Account, queue_url: str) -> int:
    answer = account.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(_WAITING))
    return sum(int(answer["Attributes"].get(name, 0)) for name in _WAITING)


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromtimestamp(float(value), UTC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    given = _parse(arguments)
    try:
        moment = _moment(given.to)
        with explained():
            stage = read_stage(given.stage, deploying.STAGES)
            account = open_account()
            print(f"Account {account.account_id}, {account.region}: {stage.stack}")
            package = make_package(stage.name, Target(given.architecture), BUILD / stage.name)
            plan = Plan(
                moment=moment,
                accept_gap=given.gap == "revoke",
                table=given.table or None,
                bucket=given.bucket or None,
            )
            restored = restore(account, stage, package, plan, _say)
    except (DeployError, PackageError, TemplateError, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{stage.stack} is open again, over {restored.table}.")
    print(f"{restored.links} links were brought up to date; {len(restored.revoked)} revoked.")
    for link_id in restored.revoked:
        print(f"  {link_id}")
    for line in _of_keys(stage.name, moment, restored.keys):
        print(line)
    print(
        f"infra/stages/{stage.name}.json names the table: commit it. Go on at docs/operate.md, After a restore."
    )
    return 0


def _of_keys(stage: str, moment: datetime, keys: Carried | None) -> list[str]:
    """Return what is to be said of API keys."""
    since = f"{moment:%Y-%m-%d %H:%M} UTC"
    if keys is None:
        return [
            f"*** API KEYS THAT WERE REVOKED SINCE {since} ARE GOOD AGAIN: the old table is gone, or not known. ***",
            f"*** Now: make keys STAGE={stage}, and make revoke-key for each of them. ***",
        ]
    lines = [f"API keys that were revoked since {since} and stay so: {len(keys.revoked)}."]
    if keys.lost:
        lines += [f"API keys made since {since} are gone; their owners need others:", *map(_named, keys.lost)]
    return lines


def _named(key: ApiKey) -> str:
    return f"  {key.key_id} {key.role.value} {key.host_id or '-'} {key.name}"


def _keep(stage: Stage, *, closed: bool) -> None:
    """Write table and closed bookings into the stage's file, so that every later deployment has them."""
    path = deploying.STAGES / f"{stage.name}.json"
    document = json.loads(path.read_text()) if path.exists() else {}
    parameters = {name: value for name, value in document.get("parameters", {}).items() if name != _CLOSED}
    if closed:
        parameters[_CLOSED] = "yes"
    document["parameters"] = parameters
    if stage.table:
        document["table"] = stage.table
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        raise DeployError(f"TO={text!r} is not a moment with its offset, e.g. 2026-11-21T10:00:00Z")
    if found > datetime.now(UTC):
        raise DeployError(f"TO={text} has yet to come.")
    return found.astimezone(UTC)


def _say(line: str) -> None:
    print(line, flush=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make restore", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--to", required=True, help="the moment to restore, e.g. 2026-11-21T10:00:00Z")
    parser.add_argument("--gap", choices=["", "revoke"], default="", help="revoke: go on without all events")
    parser.add_argument("--table", default="", help="a table restored by an earlier run, to go on with")
    parser.add_argument("--bucket", default="", help="the bucket to deploy from (default: one of its own)")
    parser.add_argument("--architecture", choices=[ARM, X86], default=ARM)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
