"""The command `make restore`: read what is given, restore the stage, and print what was done."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from chalicelib.domain.restore_steps import RevokeReason
from chalicelib.domain.team.api_keys import ApiKey
from infra.errors import CommandError
from infra.package.build import make_package
from infra.package.dependencies import ARM, X86, Target
from infra.paths import BUILD
from infra.restore.restore import Plan, restore
from infra.restore.revocations import CopiedRevocations
from infra.restore.revoked_list import write_revoked
from infra.restore.steps import list_revoked
from infra.stack.account import Account, DeployError, explained, open_account
from infra.stack.stage import Stage, read_stage, stack_outputs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    given = _parse(arguments)
    try:
        moment = _moment(given.to) if given.to else None
        with explained():
            stage = read_stage(given.stage)
            account = open_account()
            print(f"Account {account.account_id}, {account.region}: {stage.stack}")
            if given.report:
                _report(account, stage)
                return 0
            package = make_package(stage.name, Target(given.architecture), BUILD / stage.name)
            plan = Plan(
                moment=moment,
                accept_gap=given.gap == "revoke",
                table=given.table or None,
                skip_count=given.count == "skip",
                bucket=given.bucket or None,
            )
            restored = restore(account, stage, package, plan, _say)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{stage.stack} is open again, and uses the table {restored.table}.")
    print(f"{restored.links:,} links were checked; {_counts(restored.revoked)}.")
    print(f"The revoked links are in {restored.listed}")
    for line in _key_report(stage.name, restored.moment, restored.keys):
        print(line)
    print(
        f"infra/stages/{stage.name}.json names the table: commit it. Next: docs/operate.md, After a restore."
    )
    return 0


def _report(account: Account, stage: Stage) -> None:
    """List the links that the last restore revoked, again."""
    found = stack_outputs(account, stage)
    table = found["TableName"]
    listed, revoked = write_revoked(stage.name, table, list_revoked(account, found, table))
    print(f"The restore to {table}: {_counts(revoked)}. They are in {listed}")


def _counts(revoked: Mapping[RevokeReason, int]) -> str:
    """Return how many links were revoked, and why."""
    reasons = ", ".join(f"{reason.value}: {number:,}" for reason, number in sorted(revoked.items()))
    return f"{sum(revoked.values()):,} revoked" + (f" ({reasons})" if reasons else "")


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
    parser.add_argument(
        "--to",
        default="",
        help="the moment to restore, e.g. 2026-11-21T10:00:00Z (default: continue the restore that was begun)",
    )
    parser.add_argument(
        "--gap", choices=["", "revoke"], default="", help="revoke: continue without all events"
    )
    parser.add_argument(
        "--table", default="", help="a table that an earlier run restored, if its progress is lost"
    )
    parser.add_argument(
        "--count",
        choices=["", "skip"],
        default="",
        help="skip: continue if CloudWatch has no count of the events",
    )
    parser.add_argument(
        "--report", action="store_true", help="only list the links that the last restore revoked"
    )
    parser.add_argument(
        "--bucket", default="", help="the bucket to deploy from (default: one that is created)"
    )
    parser.add_argument("--architecture", choices=[ARM, X86], default=ARM)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
