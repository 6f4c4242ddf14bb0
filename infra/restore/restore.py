"""`make restore`: restore a stage's table to a moment, then replay the archived events since then (P1).

In a table restored to a point in time, links that were used since that moment are active again. Therefore bookings
close first and open only when every event since the moment is applied; links with a missing event are revoked. The
progress is saved in the stage's file, so a restore that was stopped continues where it was. See docs/operate.md.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from chalicelib.domain.restore_steps import RevokeReason
from infra.deploy.deploy import deploy
from infra.deploy.guards import with_used_keys
from infra.package.build import Package
from infra.restore.applied import Applied, wait_for_earlier, wait_until_applied
from infra.restore.checks import (
    check_moment,
    check_no_other_restore,
    check_permissions,
    check_place,
    check_queues,
    closes_less,
    restored_moment,
)
from infra.restore.progress import Progress
from infra.restore.replay import (
    IncompleteReplayError,
    find_gaps,
    is_usable,
    put_marker,
    read_archive,
    replay_events,
    wait_for_replays,
    window_start,
)
from infra.restore.restored_table import complete_table, restore_table, restored_name
from infra.restore.revocations import CopiedRevocations, copy_all_revocations, revocation_sources
from infra.restore.revoked_list import write_revoked
from infra.restore.steps import count_messages, list_revoked, revoke_links
from infra.stack.account import Account, DeployError, find_table
from infra.stack.clock import CLOCK, Clock
from infra.stack.restore_progress import RestoreProgress
from infra.stack.stack_state import StackState, read_stack, stack_closes
from infra.stack.stage import CLOSED, CLOSINGS, Closed, Stage, stack_outputs

SETTLE_SECONDS: Final = 600.0  # EventBridge may take ten minutes to archive an event

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to restore. `moment` is None to continue a restore that was begun.

    If `table` is set, an earlier run whose progress was lost restored it, and this run continues with it; `moment` is
    then None for the moment to which it was restored. `skip_count` skips the comparison with CloudWatch's count if
    there is none. `bucket` is the bucket to deploy from, as for `make deploy`.
    """

    moment: datetime | None
    accept_gap: bool = False
    table: str | None = None
    skip_count: bool = False
    bucket: str | None = None


@dataclass(frozen=True)
class Restored:
    """The result: the table in use from now on, the number of checked links, the revoked links, and the API keys.

    `listed` is the file with the revoked links, `revoked` their number for each reason. `keys` is None if the old
    table is gone or unknown: then the revoked keys can't be determined.
    """

    table: str
    moment: datetime
    links: int
    listed: Path
    revoked: Mapping[RevokeReason, int]
    keys: CopiedRevocations | None


def restore(
    account: Account, stage: Stage, package: Package, plan: Plan, say: Say, clock: Clock = CLOCK
) -> Restored:
    """Restore a stage, or continue a restore. After an interruption, every step can be repeated.

    Raise `DeployError`, `StackError`.
    """
    found = stack_outputs(account, stage)
    stage = with_used_keys(stage, read_stack(account.client("cloudformation"), stage.stack), say)
    progress = Progress(stage, _begun(account, stage, plan, say), stage.closed)
    run = _Restore(account, found, package, plan, progress, say, clock)
    return run.complete()


def _begun(account: Account, stage: Stage, plan: Plan, say: Say) -> RestoreProgress:
    """Return the progress of the restore that the plan begins or continues. Raise `DeployError` if they differ."""
    known = stage.restore
    if known is None:
        return _new(account, stage, plan, say)
    check_place(account, stage, known)
    if plan.moment not in {None, known.to} or plan.table not in {None, known.table}:
        raise DeployError(
            f"A restore of {stage.name} to {known.to:%Y-%m-%d %H:%M:%S} UTC has not ended (table: "
            f"{known.table or 'none yet'}). Continue it: make restore STAGE={stage.name}. To restore to another "
            "moment instead: docs/operate.md, If the command stops."
        )
    return msgspec.structs.replace(known, gap=known.gap or plan.accept_gap)


def _new(account: Account, stage: Stage, plan: Plan, say: Say) -> RestoreProgress:
    """Return the progress of a new restore, or of one whose progress was lost. Raise `DeployError`."""
    moment = plan.moment
    if plan.table:
        moment = restored_moment(account, plan.table, moment, say)
    elif moment is not None:
        check_no_other_restore(stage, read_stack(account.client("cloudformation"), stage.stack))
    if moment is None:
        raise DeployError(
            f"infra/stages/{stage.name}.json has no restore to continue. To begin one, give the moment: "
            "TO=2026-11-21T10:00:00Z"
        )
    return RestoreProgress(
        to=moment, account=account.account_id, region=account.region, gap=plan.accept_gap, table=plan.table
    )


@dataclass(frozen=True)
class _Restore:
    """A restore of a stage, step by step. Each step can be repeated."""

    account: Account
    found: Mapping[str, str]
    package: Package
    plan: Plan
    progress: Progress
    say: Say
    clock: Clock

    @property
    def known(self) -> RestoreProgress:
        return self.progress.known

    @property
    def table(self) -> str:
        """The restored table."""
        if self.known.table is None:
            raise DeployError("The name of the restored table is not known.")
        return self.known.table

    def complete(self) -> Restored:
        """Take the steps that are left."""
        if not self.known.opening:
            self._notice_opening()
            is_used = self.known.table == self.found["TableName"]
            if not is_used:
                self._restore_table()
            if not is_used or self.known.marker is None:
                self._close_everything()
            self._use_table()
            self._apply_events()
            self._check_stack("all")
            self._revoke()
        return self._open()

    def _restore_table(self) -> None:
        """Close bookings, and restore the table, while links can still be revoked."""
        self._check_gaps()
        source = self.found["TableName"]
        if self.known.table is None or find_table(self.account, self.known.table) is None:
            check_moment(self.account, source, self.known.to)
        if self.known.replay_started_at is None:
            check_queues(self.account, self.found)
        check_permissions(self.account, self.found, self.clock.now())
        # If the table is gone, nothing closes and `closed_at` stays None: `_notice_opening` checks for that table too.
        if self._close("yes"):
            if self.known.closed_at is None:
                self.progress.save(closed_at=self.clock.now())
            self._settle(self.known.closed_at)
        # Check again: a booking made just before the API closed may not have reached the archive.
        self._check_gaps()
        if self.known.table is None:
            self.progress.save(table=restored_name(source, self.clock.now()))
        restore_table(self.account, source, self.table, self.known.to, self.say)
        complete_table(self.account, self.table, self.say)

    def _close_everything(self) -> None:
        """Close all changes, and wait until the events of all changes are in the archive.

        A change between the last check and the use of the restored table would be lost. A later change would hide an
        archived event, or be undone by it.
        """
        self._close("all")
        if self.known.marker is None:
            at = self.clock.now()
            put_marker(self.account, self.found, self.table, at)
            self.progress.save(marker=at)
        self._settle(self.known.marker)
        gaps = self._check_gaps()
        # P1: nobody can see a gap of the old table once the stack uses the restored one, so an accepted gap stays.
        everything = bool(gaps) or (self.known.gap and self.table == self.found["TableName"])
        since = window_start(self.account, self.found, self.known.to, self.known.table)
        self.progress.save(everything=everything, since=self.known.since or since)

    def _use_table(self) -> None:
        """Deploy the stack over the restored table.

        Revocations of API keys are copied before the table is used, so that no revoked key ever works, and again after
        the deployment for keys that were revoked during it.
        """
        self._copy_revocations()
        stage = dataclasses.replace(self.progress.stage, table=self.table)
        self.say(f"Deploying the stack with the table {self.table}; everything stays closed …")
        self.progress.close("all", stage)
        self._deploy(stage, "all")
        self._copy_revocations()

    def _apply_events(self) -> None:
        """Replay the archive, and wait until every event is applied."""
        archive = read_archive(self.account, self.found)
        is_replayed = self.known.replay is not None and self.known.replay_completed_at is not None
        if not is_replayed and not is_usable(archive):
            if not self.known.gap:
                raise DeployError(
                    f"The archive {archive['ArchiveName']} is {archive['State']}, so no event can be replayed. "
                    "Bookings stay closed. Fix that, and run the command again. To continue without the events, and "
                    "revoke every active link: GAP=revoke."
                )
            self.say(f"The archive is {archive['State']}, so no event is replayed.")
            # An event that is applied while links are revoked could make one active again.
            self._wait_for_earlier()
            self._save_applied(0, everything=True)
            return
        try:
            if self.known.replay is None:
                self._begin_replay()
            if self.known.replay_completed_at is None:
                self.say("Replaying the events since then …")
                replay_events(self.account, self.found, self.known, self.clock)
                self.progress.save(replay_completed_at=self.clock.now())
            self.say("Waiting until every event is applied …")
            result = wait_until_applied(
                self.account, self.found, self.known,
                skip_count=self.plan.skip_count, say=self.say, clock=self.clock,
            )  # fmt: skip
        except IncompleteReplayError:
            self.progress.save(replay=None)
            raise
        self._report_applied(result)
        self._save_applied(result.applied, everything=self.known.everything or not result.complete)

    def _save_applied(self, applied: int, *, everything: bool) -> None:
        """Save the result of a replay. If it differs from the one before, links are revoked from the start."""
        if (applied, everything) != (self.known.applied, self.known.everything):
            # An event may have made a link active again that was revoked, or more links are to be revoked now.
            self.progress.save(applied=applied, everything=everything, cursor=None, checked=0)

    def _report_applied(self, result: Applied) -> None:
        sent = "an unknown number of" if result.sent is None else f"{result.sent:,}"
        self.say(f"Applied {result.applied:,} of {sent} events.")
        if result.dead:
            self.say(
                f"Events that could not be applied and stay in RestoreDlq: {result.dead:,}. What they changed is not "
                "restored, for example a booking and its time. Read them, then delete them (docs/operate.md)."
            )

    def _begin_replay(self) -> None:
        """Choose the window and name of a replay, once the messages of an earlier one, which don't count, are gone."""
        self._wait_for_earlier()
        before, _ = count_messages(self.account, self.found, self.table, clock=self.clock)
        now = self.clock.now()
        self.progress.save(
            replay=f"restore-{now:%Y%m%d%H%M%S}",
            replay_started_at=now,
            replay_completed_at=None,
            counted_before=before,
            until=self.known.until or now,
            # An archived event may make a link active again that the restore has revoked.
            cursor=None,
            checked=0,
        )

    def _wait_for_earlier(self) -> None:
        """Wait until every event of an earlier replay is applied, also of one that this progress does not contain."""
        ended = wait_for_replays(self.account, self.found, self.say, self.clock)
        if self.known.replay_started_at:
            ended = self.clock.now()
        wait_for_earlier(
            self.account, self.found, ended, accept_dead=self.known.gap, say=self.say, clock=self.clock
        )

    def _revoke(self) -> None:
        """Revoke the links whose events are missing or incomplete."""
        steps = revoke_links(
            self.account,
            self.found,
            self.table,
            everything=self.known.everything,
            cursor=self.known.cursor,
            clock=self.clock,
        )
        for reply in steps:
            checked, is_last = self.known.checked + reply.checked, reply.cursor is None
            self.progress.save(cursor=reply.cursor, checked=checked, opening=is_last)
            if reply.cursor is not None:
                self.say(
                    f"Checked {self.known.checked:,} links; revoked {reply.revoked:,} in the last step …"
                )

    def _open(self) -> Restored:
        """List the revoked links, and open bookings."""
        links = list_revoked(self.account, self.found, self.table, clock=self.clock)
        listed, revoked = write_revoked(self.progress.stage.name, self.table, links)
        keys = self._copy_revocations()
        self._check_stack("no")
        self.say("Opening bookings …")
        self._deploy(self.progress.stage, "no")
        self.progress.end()
        return Restored(self.table, self.known.to, self.known.checked, listed, revoked, keys)

    def _copy_revocations(self) -> CopiedRevocations | None:
        sources = revocation_sources(self.account, self.found, self.table)
        return copy_all_revocations(self.account, sources, self.table, self.known.to)

    def _notice_opening(self) -> None:
        """Forget what was closed if somebody has opened it meanwhile: it must be closed, waited for and replayed again.

        A new booking or an expiry is not in the replayed window, and may have the sequence of an archived event.
        """
        closed: Closed = "all" if self.known.marker else "yes" if self.known.closed_at else "no"
        # If the table is gone, nothing was deployed to close the stage.
        is_gone = find_table(self.account, self.found["TableName"]) is None
        if closes_less(self._stack(), closed) and not is_gone:
            self.say("Somebody has opened the stage meanwhile, so it is closed again.")
            known = self.known
            self.progress.known = RestoreProgress(
                to=known.to, account=known.account, region=known.region, gap=known.gap, table=known.table,
                replay_started_at=known.replay_started_at,
            )  # fmt: skip

    def _check_stack(self, closed: Closed) -> None:
        """Raise `DeployError` unless the stack uses the restored table, and closes at least what is given."""
        stack = self._stack()
        used = stack.outputs["TableName"]
        if used != self.table:
            raise DeployError(
                f"{stack.name} uses the table {used}, not the restored table {self.table}: somebody else deploys or "
                "restores this stage. Its bookings stay as they are. Continue only one restore (docs/operate.md)."
            )
        if closes_less(stack, closed):
            raise DeployError(
                f"Somebody has deployed {stack.name} with {CLOSED}={stack_closes(stack)} while events were applied. "
                "Run the command again: it closes everything, and replays the events again."
            )

    def _close(self, closed: Closed) -> bool:
        """Close bookings or everything, on the table that the stack uses now; return False if that table is gone.

        What the stack closes stays closed: another restore may need it.
        """
        self._notice_opening()
        stack = self._stack()
        closed = max(closed, stack_closes(stack), key=CLOSINGS.index)
        current = _current_stage(self.account, self.progress.stage, self.found, stack)
        self.progress.close(closed, current or self.progress.stage)
        if current is None:
            self.say(f"{self.found['TableName']} is gone, so nobody can book.")
            return False
        what = "bookings" if self.progress.closed == "yes" else "all changes, also revocations"
        self.say(f"Closing {what} …")
        self._deploy(current, self.progress.closed)
        return True

    def _stack(self) -> StackState:
        return read_stack(self.account.client("cloudformation"), self.progress.stage.stack)

    def _settle(self, closed_at: datetime | None) -> None:
        """Wait until the events of all changes before a time are in the archive."""
        begin = closed_at or self.clock.now()
        left = (begin + timedelta(seconds=SETTLE_SECONDS) - self.clock.now()).total_seconds()
        if left > 0:
            self.say(f"Waiting {left / 60:.0f} minutes until all events are archived …")
            self.clock.wait(left)

    def _check_gaps(self) -> list[str]:
        """Return the reasons why events may be missing. Raise `DeployError` if the restore doesn't accept them."""
        moment = self.known.to
        gaps = find_gaps(self.account, self.found, moment, self.known.table)
        if gaps and not self.known.gap:
            reasons = "\n".join(f"  {gap}" for gap in gaps)
            raise DeployError(
                f"The archive may not have every event since {moment:%Y-%m-%d %H:%M} UTC:\n{reasons}\n"
                "Fix that first. Or restore with GAP=revoke, which revokes every active link: any may have been used."
            )
        return gaps

    def _deploy(self, stage: Stage, closed: Closed) -> None:
        """Deploy without watching alarms: closed bookings cause 503s, which are no fault of the deployment."""
        parameters = {**stage.parameters, CLOSED: closed}
        deploy(
            self.account,
            dataclasses.replace(stage, parameters=parameters),
            self.package,
            bucket=self.plan.bucket,
            watch_minutes=0,
        )


def _current_stage(
    account: Account, stage: Stage, found: Mapping[str, str], stack: StackState
) -> Stage | None:
    """Return the stage with the table that its stack uses, or None if that table is gone.

    The stage's file may name another table. A stack that uses an existing table has no table of its own: a deployment
    without that table's name would create a new table. Raise `DeployError` if somebody has changed the table meanwhile.
    """
    table = found["TableName"]
    if stack.outputs["TableName"] != table:
        raise DeployError(
            f"{stack.name} now uses the table {stack.outputs['TableName']} instead of {table}: somebody else deploys "
            "or restores this stage. Continue only one restore (docs/operate.md)."
        )
    if find_table(account, table) is None:
        return None
    own = stack.resources.get("Table") == table
    return dataclasses.replace(stage, table=None if own else table)
