"""The in-memory DynamoDB answers the store's requests exactly as the engines do."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from infra.local.engines.engine import Engine
from tests.history.interleavings import stepped
from tests.history.interleavings.expressions import Names, UnknownExpressionError, holds, updated
from tests.history.interleavings.memory import Memory
from tests.history.interleavings.state_machine import Interleavings
from tests.support.aws.dynamodb_client import plain_client
from tests.support.aws.engines import Table, new_table

RUNS = 6


class Recording(Memory):
    """Records each request and its answer."""

    made: ClassVar[list["Recording"]] = []

    def __init__(self, items: Any = None) -> None:
        super().__init__(items)
        self.first = dict(self.items)
        self.asked: list[tuple[str, Mapping[str, Any], Any]] = []
        self.made.append(self)

    def answer(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = super().answer(operation, request)
        except ClientError as error:
            self.asked.append((operation, request, as_said(error)))
            raise
        self.asked.append((operation, request, as_said(answer)))
        return answer


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Recording]:
    """The requests and answers of the longest of some random interleavings."""
    monkeypatch.setattr(stepped, "Memory", Recording)
    monkeypatch.setattr(Interleavings, "stepped", None)
    monkeypatch.setattr(Recording, "made", [])
    run_state_machine_as_test(
        Interleavings,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return sorted(Recording.made[1:], key=lambda one: -len(one.asked))[:RUNS]


def test_an_engine_gives_the_same_answers(engine: Engine, runs: list[Recording]) -> None:
    client = plain_client(engine.endpoint_url)
    asked = 0
    for run in runs:
        table = new_table(engine.endpoint_url)
        for item in run.first.values():
            client.put_item(TableName=table.name, Item=item)
        for operation, request, said in run.asked:
            assert said_by(client, operation, at_table(request, table)) == said, (operation, request)
            asked += 1
    kinds = {operation for run in runs for operation, _, _ in run.asked}
    refused = sum("TransactionCanceledException" in str(said) for run in runs for _, _, said in run.asked)
    print(f"{asked} requests, {refused} transactions refused")
    assert kinds >= {"GetItem", "BatchGetItem", "PutItem", "TransactWriteItems"}
    assert asked > 200
    assert refused > 3


def said_by(client: Any, operation: str, request: Mapping[str, Any]) -> Any:
    """Send a request to an engine; return its answer in a comparable form."""
    try:
        return as_said(client._make_api_call(operation, dict(request)))
    except ClientError as error:
        return as_said(error)


def as_said(answer: Any) -> Any:
    """Return an answer without error messages, the order within sets, and the table's name."""
    if isinstance(answer, ClientError):
        result: Any = answer.response
        reasons = [
            (reason["Code"], _normal(reason.get("Item") or {}))
            for reason in result.get("CancellationReasons", [])
        ]
        return result["Error"]["Code"], reasons
    found: dict[str, Any] = {}
    if answer.get("Item"):
        found["Item"] = _normal(answer["Item"])
    if "Items" in answer:
        found["Items"] = [_normal(item) for item in answer["Items"]]
    if "Attributes" in answer:
        found["Attributes"] = _normal(answer["Attributes"])
    for items in answer.get("Responses", {}).values():
        found["Responses"] = sorted((_normal(item) for item in items), key=repr)
    return found


def at_table(request: Any, table: Table) -> Any:
    """Return a request with this table's name in place of the in-memory one's."""
    if isinstance(request, Mapping):
        return {
            (table.name if name == stepped.TABLE else name): at_table(value, table)
            for name, value in request.items()
        }
    if isinstance(request, list | tuple):
        return [at_table(value, table) for value in request]
    return table.name if request == stepped.TABLE else request


def _normal(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {kind: sorted(value) if isinstance(value, list) and kind.endswith("S") else value}
        for name, typed in sorted(item.items())
        for kind, value in typed.items()
    }


@pytest.mark.parametrize(
    "expression", ["#a <> :v", "size (#a) > :v", "#a = 1", "#a =", "(#a = :v", "#a = :v)", "?"]
)
def test_an_unsupported_expression_raises(expression: str) -> None:
    with pytest.raises(UnknownExpressionError):
        holds(expression, {"a": {"N": "1"}}, Names({"#a": "a"}, {":v": {"N": "1"}}))


def test_an_update_evaluates_right_sides_on_the_item_before_it() -> None:
    names = Names({"#a": "a", "#b": "b"}, {":one": {"N": "1"}, ":gone": {"NS": ["3"]}})

    after = updated("SET #a = #b + :one, #b = #a", {"a": {"N": "1"}, "b": {"N": "5"}}, names)

    assert after == {"a": {"N": "6"}, "b": {"N": "1"}}
    assert updated("DELETE #a :gone", {"a": {"NS": ["3"]}}, names) == {}
