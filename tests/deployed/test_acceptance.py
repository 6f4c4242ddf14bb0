"""`make acceptance`, with few links and clients, on the deployed stack; and what makes its steps fail (P1, P6, P7)."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from infra.local.aws import use_local_aws
from infra.local.engines.engine import inherited_environment
from infra.paths import ROOT
from infra.stack.account import open_account
from infra.stack.stage import Stage
from tests.acceptance.cleanup import clean_up
from tests.acceptance.execute import AcceptanceError, check, execute
from tests.acceptance.meter import Meter
from tests.acceptance.report import FAILED, PASSED, SKIPPED
from tests.acceptance.run import Run, new_run_id
from tests.acceptance.state import State, unfinished
from tests.acceptance.steps import STEPS
from tests.acceptance.target import Target
from tests.deployed.conftest import NAME, Stack
from tests.support.audit import dump
from tests.support.aws.dynamodb_client import plain_client
from tests.support.proof.harness import starts
from tests.support.proof.size import size

# What ministack can't do, and why the step or its part is skipped by name.
CANNOT = {
    "SES feedback": "ministack's SES publishes no bounces and complaints",
    "alarm evaluation": "ministack does not evaluate alarms",
    "JSON logs": "ministack does not format logs as Lambda does",
    "freezing functions": "ministack freezes no function",
    "restores": "ministack's CloudFormation has no archive",
    "destroying the stage": "other tests use this stack",
}
STAGE = NAME.removeprefix("admit-one-")


@pytest.fixture
def make_run(stack: Stack, tmp_path: Path) -> Any:
    def make(limit: float = 1.0, links: int = size(4, 100), clients: int = size(4, 16)) -> Run:
        meter = Meter(limit)
        endpoint = stack.engine.endpoint_url

        def webhook_url(function_url: str) -> str:
            return f"{endpoint}/_aws/lambda-url/{(urlsplit(function_url).hostname or '').partition('.')[0]}/"

        account = open_account({"AWS_REGION": "us-east-1"})
        target = Target(
            account,
            Stage(STAGE),
            meter,
            stack.api_url,
            webhook_url,
            CANNOT,
            poll_seconds=0.1,
            settle_seconds=0.5,
        )
        state = State(STAGE, new_run_id(), account.account_id, account.region, folder=tmp_path)
        return Run(target, meter, state, links, clients)

    return make


def of_run(stack: Stack, run: Run) -> list[str]:
    """Return the items that name the run or one of its hosts."""
    items = dump(plain_client(stack.engine.endpoint_url), stack.outputs["TableName"])
    marks = [run.state.name, *run.hosts]
    return [
        f"{key}"
        for key, item in items.items()
        if any(mark in json.dumps(item, default=str) for mark in marks)
    ]


def test_a_whole_run_passes_and_leaves_nothing(stack: Stack, make_run: Any) -> None:
    """Each step passes, or is skipped for a reason that is listed here; the table is as before."""
    run = make_run()
    check(run)
    results, text = execute(run, print, drill=True)

    outcomes = {each.name: each.outcome for each in results}
    assert [name for name, outcome in outcomes.items() if outcome == FAILED] == [], text
    assert {name for name, outcome in outcomes.items() if outcome == SKIPPED} == {
        "idle",
        "restore",
        "destroy",
    }
    assert set(outcomes) == {step.name for step in STEPS} | {"clean-up"}
    assert all(each.lines for each in results)
    for step in STEPS:
        assert f"| {step.name}: {step.what} | {outcomes[step.name]} |" in text
    assert of_run(stack, run) == []
    assert unfinished(STAGE, run.state.folder) == []
    assert run.meter.dollars < run.meter.limit
    stacks = stack.client("cloudformation").list_stacks()["StackSummaries"]
    assert [
        each
        for each in stacks
        if run.state.run in each["StackName"] and each["StackStatus"] != "DELETE_COMPLETE"
    ] == []


def only(*names: str) -> list[Any]:
    return [step for step in STEPS if step.name in names]


def outcome_of(results: list[Any], name: str) -> tuple[str, str]:
    [found] = [each for each in results if each.name == name]
    return found.outcome, "; ".join(found.lines)


def test_a_run_that_gets_too_expensive_stops_and_cleans_up(stack: Stack, make_run: Any) -> None:
    """The limit is checked before each call, not after the bill."""
    run = make_run(limit=0.06, links=60, clients=8)
    with pytest.raises(AcceptanceError, match="more than its limit"):
        check(run)
    results, _ = execute(run, print, steps=only("sign in", "main job", "races"))
    outcome, line = outcome_of(results, "cost")
    assert (outcome, "would cost more than $0.042" in line) == (FAILED, True)
    assert outcome_of(results, "clean-up")[0] == PASSED
    assert of_run(stack, run) == []


def test_a_second_booking_of_a_link_fails_the_audit(stack: Stack, make_run: Any) -> None:
    """P1: an audit that could not see a broken promise would prove nothing."""
    del stack
    run = make_run(links=1, clients=2)

    def plant(run: Run) -> Iterator[str]:
        [link] = run.make_links(run.event_type(run.host()))
        booked = run.redeem(link, starts(1)[0]).json()
        client, table = run.target.client("dynamodb"), run.target.outputs["TableName"]
        at = {"pk": {"S": f"BOOKING#{booked['bookingId']}"}, "sk": {"S": "BOOKING"}}
        item = client.get_item(TableName=table, Key=at)["Item"]
        other = "bkg_" + "a" * 26
        sort = item["listSort"]["S"].partition("#")[0] + f"#{other}"
        client.put_item(
            TableName=table, Item={**item, "pk": {"S": f"BOOKING#{other}"}, "listSort": {"S": sort}}
        )
        yield "planted"

    steps = only("sign in", "audit")
    steps.insert(1, type(steps[0])("planted bug", "a second booking", plant))
    results, _ = execute(run, print, steps=steps)
    outcome, line = outcome_of(results, "audit")
    assert outcome == FAILED
    assert "bookings" in line
    assert outcome_of(results, "clean-up")[0] == PASSED


def test_without_the_helper_stack_the_other_steps_run(make_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An organization may forbid public function URLs: what needs the stack is skipped with the reason."""
    run = make_run(links=1, clients=2)

    def forbidden() -> None:
        raise RuntimeError("AccessDenied")

    monkeypatch.setattr(run, "create_helper", forbidden)
    results, _ = execute(
        run, print, steps=only("sign in", "main job", "events", "webhooks", "alarms", "audit")
    )
    outcomes = [each.outcome for each in results]
    assert outcomes == [PASSED, PASSED, FAILED, SKIPPED, SKIPPED, PASSED, PASSED]
    assert "AccessDenied" in outcome_of(results, "events")[1]


def test_a_clean_up_that_stops_half_way_is_finished_by_the_next(stack: Stack, make_run: Any) -> None:
    """It finds its data by its hosts, so they are deleted last."""
    run = make_run()
    run.state.save()
    list(only("sign in")[0].act(run))
    for link in run.make_links(run.event_type(run.host()), 30):
        assert run.redeem(link, starts(1)[0]).status_code in {201, 409}
    before = run.target.client("dynamodb").batch_write_item
    calls: list[Any] = []

    def expired(**asked: Any) -> Any:
        calls.append(asked)
        if len(calls) > 1:
            raise RuntimeError("ExpiredToken")
        return before(**asked)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.target.client("dynamodb"), "batch_write_item", expired)
        with pytest.raises(RuntimeError, match="ExpiredToken"):
            list(clean_up(run))
    assert of_run(stack, run) != []
    later = make_run()
    [later.state] = unfinished(STAGE, run.state.folder)

    assert any("of 1 hosts" in line for line in list(clean_up(later)))

    assert of_run(stack, run) == []


def test_a_helper_stack_that_can_not_be_deleted_is_not_reported_as_deleted(make_run: Any) -> None:
    """Its function has a public URL, so somebody must know."""
    run = make_run()
    run.state.helper = "admit-one-test-acceptance-x"
    run.state.save()

    def denied(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "DescribeStacks")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.target.client("cloudformation"), "describe_stacks", denied)
        with pytest.raises(ClientError):
            list(clean_up(run))
    assert len(unfinished(STAGE, run.state.folder)) == 1


def test_a_drill_is_refused_if_this_clone_would_change_the_stage(make_run: Any) -> None:
    run = make_run()
    run.target.stage = Stage(STAGE, {"LogRetentionDays": "7"})
    with pytest.raises(AcceptanceError, match="another LogRetentionDays"):
        check(run, drill=True)
    run.target.__dict__["outputs"] = {**run.target.outputs, "Version": "0.1.9"}
    with pytest.raises(AcceptanceError, match=r"the stage runs 0\.1\.9"):
        check(run, drill=True)


def test_a_secret_in_a_log_fails_the_step(make_run: Any) -> None:
    """P7."""
    run = make_run()
    run.secrets.append("START RequestId")  # every function's log has it
    results, _ = execute(run, print, steps=only("sign in", "logs"))
    outcome, line = outcome_of(results, "logs")
    assert (outcome, "secrets of this run are in the logs" in line) == (FAILED, True)


def command(stack: Stack, *arguments: str) -> "subprocess.Popen[str]":
    """Start `make acceptance` for the stack, as its own process."""
    environ = inherited_environment()
    use_local_aws(environ, stack.engine.endpoint_url)
    asked = ["--stage", STAGE, "--links", "4", "--clients", "4", "--settle", "0.5", *arguments]
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "tests.acceptance", *asked],
        cwd=ROOT, env=environ | {"AWS_ENDPOINT_URL": stack.engine.endpoint_url},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_a_run_begins_only_if_its_cost_was_confirmed(stack: Stack) -> None:
    """It says what it creates and what it costs at most, and creates nothing."""
    process = command(stack)
    text, _ = process.communicate()
    assert process.returncode == 1
    assert f"CONFIRM={STAGE}" in text
    assert "Cost: at most $" in text
    assert "public function URL" in text
    assert unfinished(STAGE) == []
    items = dump(plain_client(stack.engine.endpoint_url), stack.outputs["TableName"])
    assert [key for key, item in items.items() if "Acceptance " in str(item.get("name"))] == []


def test_a_killed_run_is_cleaned_up_later(stack: Stack, make_run: Any) -> None:
    """Only the file is left of it, which was written before anything was created. No other run begins before."""
    killed = command(stack, "--confirm", STAGE)
    assert killed.stdout
    for line in killed.stdout:
        if line.startswith(f"{PASSED:8} events"):  # then the helper stack exists too
            break
    killed.kill()
    killed.communicate()
    [state] = unfinished(STAGE)
    run = make_run()
    run.state = state
    assert of_run(stack, run) != []

    second = command(stack, "--confirm", STAGE)
    text, _ = second.communicate()
    assert (second.returncode, "CLEAN=yes" in text) == (1, True)
    cleaning = command(stack, "--clean")
    text, _ = cleaning.communicate()

    assert cleaning.returncode == 0, text
    assert f"the stack {state.helper}" in text
    assert of_run(stack, run) == []
    assert unfinished(STAGE) == []


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"BookingsClosed": "yes"}, "Bookings are closed"),
        ({"WafRateLimit": "10"}, "it would block them"),
        ({"ThrottleRate": "10"}, "below 50 requests"),
        ({"CLIENTS": "1"}, "at least LINKS=1 and CLIENTS=2"),
    ],
)
def test_a_stage_that_a_run_would_break_on_is_refused(
    make_run: Any, parameters: dict[str, str], reason: str
) -> None:
    run = make_run()
    run.clients = int(parameters.get("CLIENTS", run.clients))
    run.target.__dict__["parameters"] = parameters
    with pytest.raises(AcceptanceError, match=reason):
        check(run)
