"""P1, P4: a redeem during a DynamoDB fault either books or returns 429 or 503. It never reports the link as used.

The faults are throttling, transaction conflicts, error responses and closed connections.

Local engines do not have them, so a proxy injects them.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest

from tests.support import audit
from tests.support.proof.harness import Answer, Link, Stage, race, starts
from tests.support.proof.proxy import (
    Answer as Injected,
    Fault,
    Proxy,
    Reset,
    cancelled,
    error,
    operation,
    write,
)

CONDITION_FAILED: Final[dict[str, Any]] = {
    "Code": "ConditionalCheckFailed",
    "Message": "The conditional request failed",
}
HTML: Final = b"<html><body><h1>503 Service Unavailable</h1></body></html>"

# The faults of a redeem's transaction. Its items are, in order: booking, receipt, link, day.
REDEEM_FAULTS: Final[dict[str, Fault]] = {
    "conflict on the link": cancelled("None", "None", "TransactionConflict", "None"),
    "conflict on the day": cancelled("None", "None", "None", "TransactionConflict"),
    "conflict on all": cancelled(*["TransactionConflict"] * 4),
    "conflict on the link, condition failed on the day": cancelled(
        "None", "None", "TransactionConflict", CONDITION_FAILED
    ),
    "condition failed on the link, conflict on the day": cancelled(
        "None", "None", CONDITION_FAILED, "TransactionConflict"
    ),
    "throttled in the transaction": cancelled("None", "None", "ThrottlingError", "None"),
    "over capacity in the transaction": cancelled("None", "None", "None", "ProvisionedThroughputExceeded"),
    "throttled on the link, conflict on the day": cancelled(
        "None", "None", "ThrottlingError", "TransactionConflict"
    ),
    "in progress": error("TransactionInProgressException"),
    "conflict without reasons": error("TransactionConflictException"),
    "throttled": error("ThrottlingException"),
    "over capacity": error("ProvisionedThroughputExceededException"),
    "over the account's limit": error("RequestLimitExceeded"),
    "internal error": error("InternalServerError", 500),
    "unavailable": error("ServiceUnavailable", 503),
    "a gateway's own page": Injected(503, HTML, {"Content-Type": "text/html"}),
    "an empty 500": Injected(500, b"", {}),
    "bad gateway": Injected(502, b"", {}),
    "reset": Reset(),
}
READ_FAULTS: Final[dict[str, Fault]] = {
    name: fault
    for name, fault in REDEEM_FAULTS.items()
    if "conflict" not in name and "in the transaction" not in name
}
TEMPORARY: Final = 3  # the number of times that a temporary fault occurs
THROTTLES: Final = ("throttled", "over")


def try_later(answer: Answer) -> bool:
    """Return whether an answer is a 429 or 503 with a `Retry-After`."""
    return answer.status in (429, 503) and int(answer.headers.get("retry-after", "0")) >= 1


def redeem_all(stage: Stage, links: list[Link]) -> list[Answer]:
    """Redeem all links concurrently, each at its own slot."""
    clients, slots = stage.clients(len(links)), starts(len(links))
    return race(
        [
            partial(client.redeem, link, slot, "grace@example.com")
            for client, link, slot in zip(clients, links, slots, strict=True)
        ]
    )


@pytest.mark.parametrize(
    ("name", "faults"),
    [("TransactWriteItems", REDEEM_FAULTS), ("BatchGetItem", READ_FAULTS)],
    ids=["write", "read"],
)
def test_a_redeem_survives_temporary_faults(
    stage: Stage, dynamodb: Proxy, name: str, faults: dict[str, Fault]
) -> None:
    """P1, P4: each fault occurs three times in a row and then stops. Every redeem books once."""
    links = stage.links(stage.event_type(stage.host()), len(faults))
    rules = [
        dynamodb.inject(operation(name, link.link_id), fault, times=TEMPORARY)
        for link, fault in zip(links, faults.values(), strict=True)
    ]

    answers = redeem_all(stage, links)

    assert {case: answer.code for case, answer in zip(faults, answers, strict=True)} == dict.fromkeys(
        faults, "201"
    )
    assert {rule.hits for rule in rules} == {TEMPORARY}
    assert len(audit.bookings_of(stage.audited())) == len(faults)


@pytest.mark.parametrize(
    ("name", "faults"),
    [("TransactWriteItems", REDEEM_FAULTS), ("BatchGetItem", READ_FAULTS)],
    ids=["write", "read"],
)
def test_a_redeem_during_a_lasting_fault_returns_429_or_503_and_writes_nothing(
    stage: Stage, dynamodb: Proxy, name: str, faults: dict[str, Fault]
) -> None:
    """P1, P4: the table is unchanged, and a retry after the case succeeds."""
    links = stage.links(stage.event_type(stage.host()), len(faults))
    before = stage.dump()
    for link, fault in zip(links, faults.values(), strict=True):
        dynamodb.inject(operation(name, link.link_id), fault)

    answers = dict(zip(faults, redeem_all(stage, links), strict=True))

    assert {case: answer.code for case, answer in answers.items() if not try_later(answer)} == {}
    for case, answer in answers.items():
        assert (answer.status == 429) == (case.startswith(THROTTLES) and "conflict" not in case), (
            case,
            answer,
        )
    assert audit.differences(before, stage.dump()) == []

    dynamodb.clear()
    again = redeem_all(stage, links)

    assert {answer.code for answer in again} == {"201"}
    stage.audited()


def test_unprocessed_keys_are_read_again(stage: Stage, dynamodb: Proxy) -> None:
    """P1, P4: a `BatchGetItem` that leaves out a key does not mean that the link does not exist."""
    link = stage.link()
    keys = [{"pk": {"S": f"LINK#{link.link_id}"}, "sk": {"S": "LINK"}}]
    left_out = {"Responses": {}, "UnprocessedKeys": {stage.table.name: {"Keys": keys}}}
    answer = Injected(200, json.dumps(left_out).encode())
    rule = dynamodb.inject(operation("BatchGetItem", link.link_id), answer, times=2)

    [answered] = redeem_all(stage, [link])

    assert rule.hits == 2
    assert answered.code == "201"
    assert len(audit.bookings_of(stage.audited())) == 1


WRITE_FAULTS: Final[dict[str, Fault]] = {
    "conflict": error("TransactionConflictException"),
    "throttled": error("ThrottlingException"),
    "over capacity": error("ProvisionedThroughputExceededException"),
    "internal error": error("InternalServerError", 500),
    "reset": Reset(),
}
VERBS: Final[dict[str, Callable[[Stage, Link], Answer]]] = {
    "revoke": lambda stage, link: _team(stage, "POST", link, "/revoke"),
    "delete": lambda stage, link: _team(stage, "DELETE", link),
    "change": lambda stage, link: _team(stage, "PATCH", link, body={"label": "new"}),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_team_write_survives_temporary_faults_and_reports_lasting_ones(
    stage: Stage, dynamodb: Proxy, verb: str
) -> None:
    """P3: a failed write is never acknowledged; a write that conflicts with a redeem is retried."""
    event_type = stage.event_type(stage.host())
    passing, lasting = (stage.links(event_type, len(WRITE_FAULTS)) for _ in range(2))
    for links, times in ((passing, 2), (lasting, None)):
        for link, fault in zip(links, WRITE_FAULTS.values(), strict=True):
            dynamodb.inject(write(link.link_id), fault, times=times)
    before = stage.dump()

    answers = race([partial(VERBS[verb], stage, link) for link in passing + lasting])

    done, undone = answers[: len(passing)], answers[len(passing) :]
    assert [answer.status for answer in done] == [204 if verb == "delete" else 200] * len(passing)
    assert [answer.code for answer in undone if not try_later(answer)] == []
    after = stage.audited()
    for link in lasting:
        assert after[f"LINK#{link.link_id}", "LINK"] == before[f"LINK#{link.link_id}", "LINK"]


def test_a_generate_survives_temporary_faults_and_reports_lasting_ones(stage: Stage, dynamodb: Proxy) -> None:
    """P4: a generate without an `Idempotency-Key` never returns 201 with only part of its links."""
    host = stage.host()
    faults = {**WRITE_FAULTS, "cancelled": cancelled("TransactionConflict", *["None"] * 4)}
    passing, lasting = ([stage.event_type(host) for _ in faults] for _ in range(2))
    for event_types, times in ((passing, TEMPORARY), (lasting, None)):
        for event_type, fault in zip(event_types, faults.values(), strict=True):
            dynamodb.inject(operation("TransactWriteItems", event_type), fault, times=times)

    answers = race(
        [
            partial(
                stage.new_client(api_key=stage.api_key).send,
                "POST",
                "/v1/links",
                {"eventTypeId": event_type, "count": 5},
            )
            for event_type in passing + lasting
        ]
    )

    assert [answer.code for answer in answers[: len(faults)]] == ["201"] * len(faults)
    assert [answer.code for answer in answers[len(faults) :] if not try_later(answer)] == []
    assert len(audit.links_of(stage.audited())) == 5 * len(faults)


def _team(stage: Stage, method: str, link: Link, verb: str = "", body: Any = None) -> Answer:
    client = stage.new_client(api_key=stage.api_key)
    return client.send(method, f"/v1/links/{link.link_id}{verb}", body)
