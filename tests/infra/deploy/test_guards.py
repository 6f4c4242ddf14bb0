"""A stage's file that is out of date opens nothing, and changes neither the table nor the signing keys (P1)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from infra.deploy.adoption import Adopted, Archive
from infra.deploy.guards import check_data_is_named, checked_stage, with_used_keys
from infra.stack.account import DeployError
from infra.stack.restore_progress import RestoreProgress
from infra.stack.stack_state import StackState
from infra.stack.stage import Stage

KEYS = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:admit-one-prod-keys-a1B2c3"
VALUES = ("no", "yes", "all")


def _stack(closed: str = "no", **resources: str) -> StackState:
    """Return a stack that uses an existing table and existing keys, or owns those that are given."""
    outputs = {"TableName": "t1", "SigningSecretId": KEYS}
    return StackState(
        "admit-one-prod", "UPDATE_COMPLETE", None, {"BookingsClosed": closed}, outputs, resources
    )


def _stage(closed: str | None = None, **named: Any) -> Stage:
    return Stage("prod", {} if closed is None else {"BookingsClosed": closed}, **named)


def _checked(stage: Stage, stack: StackState, *, switch: bool = False, reopen: bool = False) -> Stage:
    return checked_stage(stage, stack, switch=switch, reopen=reopen, say=lambda _: None)


@pytest.mark.parametrize("wanted", [None, *VALUES])
@pytest.mark.parametrize("closed", VALUES)
def test_a_deployment_opens_what_is_closed_only_on_request(closed: str, wanted: str | None) -> None:
    """P1: from `all` to `yes` counts too: an expiry or a revocation would hide an event that a restore applies."""
    stage, stack = _stage(wanted, table="t1", signing_secret=KEYS), _stack(closed)
    if VALUES.index(wanted or "no") >= VALUES.index(closed):
        assert _checked(stage, stack) == stage
    else:
        opened = "changes" if closed == "all" else "bookings"
        with pytest.raises(DeployError, match=f"would open {opened}. .* To open {opened}: OPEN=yes"):
            _checked(stage, stack)
    assert _checked(stage, stack, reopen=True) == stage
    assert _checked(stage, StackState("admit-one-prod", "ROLLBACK_COMPLETE")) == stage


@pytest.mark.parametrize(
    ("opening", "closed", "expected"), [(True, "no", "no"), (True, "all", "all"), (False, "no", "all")]
)
def test_a_deployment_does_not_close_what_a_restore_has_just_opened(
    opening: bool, closed: str, expected: str
) -> None:
    """The restore was killed between opening bookings and removing its progress from the file."""
    progress = RestoreProgress(to=datetime(2026, 11, 21, 10, tzinfo=UTC), table="t1", opening=opening)
    stage = _stage("all", table="t1", signing_secret=KEYS, restore=progress)
    assert _checked(stage, _stack(closed)).parameters == {"BookingsClosed": expected}


GONE = StackState("admit-one-prod")


@pytest.mark.parametrize(
    ("named", "wanted", "stack", "is_refused"),
    [
        ("t1", "no", _stack("all"), True),
        ("t1", "yes", _stack("all"), True),
        (None, None, _stack("yes"), True),
        ("t1", "all", _stack("all"), False),
        ("t1", "all", _stack("no"), False),  # somebody has opened it
        ("t1", "no", GONE, True),
        ("t1", "all", GONE, False),
        ("t0", "no", GONE, False),  # the restore has not put its table into use
    ],
)
def test_a_table_is_not_opened_before_its_restore_has_ended(
    named: str | None, wanted: str | None, stack: StackState, is_refused: bool
) -> None:
    """P1: links that were used since the moment of the restore are active in its table, so OPEN=yes is not enough."""
    progress = RestoreProgress(to=datetime(2026, 11, 21, 10, tzinfo=UTC), table="t1")
    stage = _stage(wanted, table=named, signing_secret=KEYS, restore=progress)
    if is_refused:
        with pytest.raises(
            DeployError, match=r"used since 2026-11-21 10:00:00 UTC .* make restore STAGE=prod"
        ):
            _checked(stage, stack, switch=True, reopen=True)
    else:
        _checked(stage, stack, switch=True, reopen=True)
    _checked(replace(stage, restore=None), stack, reopen=True)
    _checked(replace(stage, restore=structs.replace(progress, opening=True)), stack, reopen=True)


@pytest.mark.parametrize("switch", [False, True])
def test_only_a_restore_puts_its_table_into_use(switch: bool) -> None:
    """P1: `make restore` was killed before it deployed the table, or the revocations of API keys are not copied yet."""
    progress = RestoreProgress(to=datetime(2026, 11, 21, 10, tzinfo=UTC), table="t2")
    stage = _stage("all", table="t2", signing_secret=KEYS, restore=progress)
    with pytest.raises(DeployError, match="has a restore that has not ended"):
        _checked(stage, _stack("all"), switch=switch)
    assert _checked(replace(stage, restore=None), _stack("all"), switch=True).table == "t2"
    before = replace(stage, table="t1")
    assert _checked(before, _stack("all")) == before, "a deployment during a restore changes nothing"


def test_table_and_keys_that_the_stack_uses_stay() -> None:
    """With new keys, each link and each booking's URL returns 404."""
    assert _checked(_stage(), _stack()) == _stage(table="t1", signing_secret=KEYS)
    assert _checked(_stage(), _stack(Table="t1", SigningSecret=KEYS)) == _stage(), "the stack owns both"
    for name in ("admit-one-prod-keys", KEYS, KEYS.removesuffix("-a1B2c3")):
        named = _stage(table="t1", signing_secret=name)
        assert _checked(named, _stack()) == named
    said: list[str] = []
    assert with_used_keys(_stage(table="t2"), _stack(), said.append).signing_secret == KEYS, (
        "a restore calls it"
    )
    assert KEYS in said[0]


@pytest.mark.parametrize("named", [{"table": "t2"}, {"signing_secret": "admit-one-prod"}])
def test_another_table_or_other_keys_need_a_confirmation_and_closed_bookings(named: dict[str, str]) -> None:
    """P1: a rollback of an open stage would return to a table in which links that were used since are active."""
    [value] = named.values()
    with pytest.raises(DeployError, match=f"names the .* {value}, but admit-one-prod uses .*SWITCH=yes"):
        _checked(_stage("yes", **named), _stack("yes"))
    switched = _checked(_stage("all", **named), _stack("yes"), switch=True)
    assert value in {switched.table, switched.signing_secret}
    for closed, wanted in (("no", "no"), ("no", "yes"), ("yes", "no")):
        with pytest.raises(DeployError, match=f"{value} in place of .* while bookings are open"):
            _checked(_stage(wanted, **named), _stack(closed), switch=True, reopen=True)


ARCHIVE = Archive("all", "arn:archive", 0)
FAILED = StackState("admit-one-prod", "ROLLBACK_FAILED")


@pytest.mark.parametrize(
    ("named", "stack", "archive", "missing"),
    [
        ({}, GONE, ARCHIVE, "no table and no signing keys"),
        ({"table": "t1"}, GONE, ARCHIVE, "no signing keys"),
        ({"signing_secret": KEYS}, GONE, ARCHIVE, "no table"),
        ({"table": "t1", "signing_secret": KEYS}, GONE, ARCHIVE, None),
        ({}, GONE, None, None),  # a first deployment, or the bus of a failed one
        ({}, FAILED, ARCHIVE, None),  # a deployment after a failed first one
        ({}, _stack(), ARCHIVE, None),  # a stack that uses the archive
    ],
)
def test_a_deleted_stage_is_created_again_without_its_data_only_on_request(
    named: dict[str, str], stack: StackState, archive: Archive | None, missing: str | None
) -> None:
    """A pipeline may run before the file that `make destroy` wrote is committed: then no link would work."""
    stage, adopted = _stage(**named), Adopted(archive=archive)
    check_data_is_named(stage, stack, adopted, empty=True)
    if missing is None:
        check_data_is_named(stage, stack, adopted, empty=False)
    else:
        with pytest.raises(DeployError, match=f"names {missing} of that stack, .* EMPTY=yes"):
            check_data_is_named(stage, stack, adopted, empty=False)
