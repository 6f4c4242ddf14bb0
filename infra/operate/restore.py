"""`make restore`: restore a stage's table to a moment, then replay the archived events since then (P1).

In a table restored to a point in time, links that were used since that moment are active again. Therefore bookings
close first and open only when every event since the moment is applied; links with a missing event are revoked. See
docs/operate.md.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from chalicelib.domain.team.api_keys import ApiKey
from infra.deploy.account import Account, DeployError, explained, find_table, open_account
from infra.deploy.deploy import deploy
from infra.deploy.stage import CLOSED, Stage, read_stage, save_stage, stack_outputs
from infra.errors import CommandError
from infra.operate.replay import find_gaps, finish, replay_events, wait_until_applied
from infra.operate.restored_table import complete_table, restore_table
from infra.operate.revocations import CopiedRevocations, copy_all_revocations, revocation_sources
from infra.package.build import Package, make_package
from infra.package.dependencies import ARM, X86, Target
from infra.paths import BUILD

SETTLE_SECONDS: Final = 600.0  # EventBridge may take ten minutes to archive an event

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The moment to restore, and how. If `table` is set, an earlier run restored it, and this run continues with it.

    `bucket` is the bucket to deploy from, as for `make deploy`.
    """

    moment: datetime
    accept_gap: bool
    table: str | None = None
    bucket: str | None = None


@dataclass(frozen=True)
class Restored:
    """The result: the table in use from now on, the number of checked links, the revoked links, and the API keys.

    `keys` is None if the old table is gone or unknown: then the revoked keys can't be determined.
    """

    table: str
    links: int
    revoked: list[str]
    keys: CopiedRevocations | None


def restore(account: Account, stage: Stage, package: Package, plan: Plan, say: Say) -> Restored:
    """Restore a stage. After an interruption, every step can be repeated. Raise `DeployError`, `StackError`."""
    found = stack_outputs(account, stage)
    _checked(plan, find_gaps(account, found, plan.moment))
    # A deployment in between, or after a failed run, must neither open the stage nor use another table.
    current = _current_stage(account, stage, found)
    save_stage(current or stage, closed="yes")
    if current is None:
        say(
            f"{found['TableName']} is gone, so nobody can book; waiting ten minutes until events are archived …"
        )
    else:
        say("Closing bookings, then waiting ten minutes until events are archived …")
        _deploy(account, current, package, plan, closed=True)
    time.sleep(SETTLE_SECONDS)
    # Check again: a booking made just before the API closed may not have reached the archive.
    gaps = _checked(plan, find_gaps(account, found, plan.moment))
    table = plan.table or restore_table(account, found["TableName"], plan.moment, say)
    complete_table(account, table, say)
    # Revocations are copied before the table is used, so that no revoked key ever works, and again after the deployment
    # for keys that were revoked during it.
    sources = revocation_sources(account, found, table)
    copied = copy_all_revocations(account, sources, table)
    stage = dataclasses.replace(stage, table=table)
    say(f"Deploying over {table}, still closed …")
    save_stage(stage, closed="yes")
    _deploy(account, stage, package, plan, closed=True)
    late = copy_all_revocations(account, sources, table)
    say("Replaying the events since then …")
    replay_events(account, found, plan.moment)
    wait_until_applied(account, found)
    checked, revoked = finish(account, found, table, everything=bool(gaps))
    say("Opening bookings …")
    _deploy(account, stage, package, plan, closed=False)
    save_stage(stage, closed="no")
    keys = copied and late and CopiedRevocations(copied.revoked + late.revoked, late.missing)
    return Restored(table, checked, [link.link_id for link in revoked], keys)


def _current_stage(account: Account, stage: Stage, found: Mapping[str, str]) -> Stage | None:
    """Return the stage with the table that its stack currently uses, or None if that table is gone.

    The stage's file may name another table. A stack that uses an existing table has no table of its own: a deployment
    without that table's name would create a new table.
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


def _checked(plan: Plan, gaps: list[str]) -> list[str]:
    """Return `gaps`. Raise `DeployError` if the plan doesn't accept them."""
    if gaps and not plan.accept_gap:
        reasons = "\n".join(f"  {gap}" for gap in gaps)
        raise DeployError(
            f"The archive may not have every event since {plan.moment:%Y-%m-%d %H:%M} UTC:\n{reasons}\n"
            "Fix that first. Or restore with GAP=revoke, which revokes every active link: any may have been used."
        )
    return gaps


def _deploy(account: Account, stage: Stage, package: Package, plan: Plan, *, closed: bool) -> None:
    parameters = {**stage.parameters, CLOSED: "yes" if closed else "no"}
    deploy(
        account,
        dataclasses.replace(stage, parameters=parameters),
        package,
        bucket=plan.bucket,
        watch_minutes=0,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    given = _parse(arguments)
    try:
        moment = _moment(given.to)
        with explained():
            stage = read_stage(given.stage)
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
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{stage.stack} is open again, over {restored.table}.")
    print(f"{restored.links} links were updated; {len(restored.revoked)} revoked.")
    for link_id in restored.revoked:
        print(f"  {link_id}")
    for line in _key_report(stage.name, moment, restored.keys):
        print(line)
    print(
        f"infra/stages/{stage.name}.json names the table: commit it. Next: docs/operate.md, After a restore."
    )
    return 0


def _key_report(stage: str, moment: datetime, keys: CopiedRevocations | None) -> list[str]:
    """Return the lines about API keys."""
    since = f"{moment:%Y-%m-%d %H:%M} UTC"
    if keys is None:
        return [
            f"*** API KEYS THAT WERE REVOKED SINCE {since} ARE ACTIVE AGAIN: the old table is gone or unknown. ***",
            f"*** Now: make keys STAGE={stage}, and make revoke-key for each of them. ***",
        ]
    lines = [f"API keys revoked since {since} that stay revoked: {len(keys.revoked)}."]
    if keys.missing:
        lines += [
            f"API keys created since {since} are gone; their owners need new ones:",
            *map(_named, keys.missing),
        ]
    return lines


def _named(key: ApiKey) -> str:
    return f"  {key.key_id} {key.role.value} {key.host_id or '-'} {key.name}"


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        raise DeployError(f"TO={text!r} is not a moment with an offset, e.g. 2026-11-21T10:00:00Z")
    if found > datetime.now(UTC):
        raise DeployError(f"TO={text} is in the future.")
    return found.astimezone(UTC)


def _say(line: str) -> None:
    print(line, flush=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make restore", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--to", required=True, help="the moment to restore, e.g. 2026-11-21T10:00:00Z")
    parser.add_argument(
        "--gap", choices=["", "revoke"], default="", help="revoke: continue without all events"
    )
    parser.add_argument("--table", default="", help="a table that an earlier run restored, to continue with")
    parser.add_argument(
        "--bucket", default="", help="the bucket to deploy from (default: one that is created)"
    )
    parser.add_argument("--architecture", choices=[ARM, X86], default=ARM)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
