"""P4, P1: a retry of a generate completes the same set of links and resets none of them."""

from functools import partial
from typing import Any

import pytest

from tests.support import audit
from tests.support.proof.harness import Answer, Client, Link, NoAnswerError, Stage, codes_of, race, starts
from tests.support.proof.proxy import Fault, First, LoseReply, Proxy, Reset, cancelled, operation
from tests.support.proof.size import size

COUNT = 200  # three transactions


def generate(
    client: Client, event_type: str, key: str | None = "k", count: int = COUNT, **more: Any
) -> Answer:
    headers = {"Idempotency-Key": key} if key else {}
    body = {"eventTypeId": event_type, "count": count, "maxUsageCount": 2, **more}
    return client.send("POST", "/v1/links", body, headers)


def ids_of(answer: Answer) -> list[str]:
    return [link["linkId"] for link in answer.json["links"]]


def team(stage: Stage, count: int) -> list[Client]:
    """Clients with an admin key, spread over the app processes."""
    return [stage.new_client(n, api_key=stage.api_key) for n in range(count)]


def test_concurrent_identical_generates_create_one_set_of_links(stage: Stage) -> None:
    """P4: eight clients send the request at once; all get the same links."""
    event_type = stage.event_type(stage.host())

    answers = race([partial(generate, client, event_type) for client in team(stage, 8)])

    assert codes_of(answers) == {"201": 8}
    assert len({tuple(ids_of(answer)) for answer in answers}) == 1
    assert set(audit.links_of(stage.audited())) == set(ids_of(answers[0]))
    assert len(ids_of(answers[0])) == COUNT


def test_retries_of_a_generate_while_its_links_are_used_reset_none(stage: Stage) -> None:
    """P4, P1: four clients retry it while others redeem, revoke, change and delete its links."""
    event_type = stage.event_type(stage.host())
    first = generate(stage.team, event_type)
    links = [Link.of(one) for one in first.json["links"]]
    stage.random.shuffle(links)
    once, twice, revoked, changed, deleted = (links[at : at + 20] for at in range(0, 100, 20))
    slots = iter(starts(60))

    def book(client: Client) -> list[Answer]:
        return [
            client.redeem(link, next(slots), f"p{n}@example.com")
            for n, link in enumerate(once + twice + twice)
        ]

    def revoke(client: Client) -> list[Answer]:
        return [client.send("POST", f"/v1/links/{link.link_id}/revoke") for link in revoked]

    def change(client: Client) -> list[Answer]:
        return [
            client.send("PATCH", f"/v1/links/{link.link_id}", {"maxUsageCount": None}) for link in changed
        ]

    def delete(client: Client) -> list[Answer]:
        return [client.send("DELETE", f"/v1/links/{link.link_id}") for link in deleted]

    def again(client: Client) -> list[Answer]:
        return [generate(client, event_type) for _ in range(size(3, 5))]

    clients = team(stage, 8)
    acts = [book, revoke, change, delete, *[again] * 4]
    responses = race([partial(act, client) for act, client in zip(acts, clients, strict=True)])

    for done, count in zip(responses[:3], (60, 20, 20), strict=True):
        assert {answer.status for answer in done} <= {200, 201}
        assert len(done) == count
    assert {answer.status for answer in responses[3]} == {204}
    left = [link_id for link_id in ids_of(first) if link_id not in {link.link_id for link in deleted}]
    for answer in [one for some in responses[4:] for one in some]:
        assert answer.code == "201"
        assert set(left) <= set(ids_of(answer)) <= set(ids_of(first))
    assert ids_of(generate(stage.team, event_type)) == left

    stored = audit.links_of(stage.audited(deleted=[link.link_id for link in deleted]))
    assert set(stored) == set(left)
    wanted = [(once, 1, "active"), (twice, 2, "used"), (revoked, 0, "revoked"), (changed, 0, "active")]
    for some, uses, status in [*wanted, (links[100:], 0, "active")]:
        for link in some:
            item = stored[link.link_id]
            assert (item["usageCount"], item["status"]) == (uses, status)
    assert all("maxUsageCount" not in stored[link.link_id] for link in changed)


def test_a_generate_that_writes_after_its_own_retry_resets_nothing(stage: Stage, dynamodb: Proxy) -> None:
    """P4, P1: before the delayed write, a retry creates the links, and they are used, revoked and deleted."""
    event_type = stage.event_type(stage.host())
    client = stage.new_client()
    responses: list[Answer] = []

    def overtake() -> None:
        responses.append(generate(stage.new_client(1, api_key=stage.api_key), event_type, count=4))
        used, revoked, deleted, _ = (Link.of(one) for one in responses[0].json["links"])
        assert client.redeem(used, starts(1)[0], "grace@example.com").code == "201"
        assert stage.team.send("POST", f"/v1/links/{revoked.link_id}/revoke").status == 200
        assert stage.team.send("DELETE", f"/v1/links/{deleted.link_id}").status == 204

    dynamodb.inject(operation("TransactWriteItems", event_type), First(overtake), times=1)

    answer = generate(stage.new_client(2, api_key=stage.api_key), event_type, count=4)

    used, revoked, deleted, fresh = ids_of(responses[0])
    assert answer.code == "201"
    assert ids_of(answer) == [used, revoked, fresh]
    stored = audit.links_of(stage.audited(deleted=[deleted]))
    assert {one: (item["status"], item["usageCount"]) for one, item in stored.items()} == {
        used: ("active", 1),
        revoked: ("revoked", 0),
        fresh: ("active", 0),
    }


def test_a_generate_that_writes_late_does_not_recreate_deleted_links(stage: Stage, dynamodb: Proxy) -> None:
    """P3, P4: before the delayed write, a retry creates all links, and they are deleted."""
    event_type = stage.event_type(stage.host())
    responses: list[Answer] = []

    def overtake() -> None:
        responses.append(generate(stage.new_client(1, api_key=stage.api_key), event_type, count=2))
        answer = stage.team.send("POST", "/v1/links/bulk-delete", {"linkIds": ids_of(responses[0])})
        assert answer.status == 200

    dynamodb.inject(operation("TransactWriteItems", event_type), First(overtake), times=1)

    answer = generate(stage.new_client(2, api_key=stage.api_key), event_type, count=2)

    assert codes_of([*responses, answer]) == {"201": 2}
    assert ids_of(answer) == []
    assert not audit.links_of(stage.audited())


def test_the_same_key_with_another_body_is_refused(stage: Stage) -> None:
    """P4: any difference counts, and nothing is created."""
    host = stage.host()
    event_type, other = stage.event_type(host), stage.event_type(host)
    assert generate(stage.team, event_type, count=3).code == "201"
    before = stage.dump()

    answers = [
        generate(stage.team, event_type, count=4),
        generate(stage.team, event_type, count=3, label="x"),
        generate(stage.team, other, count=3),
    ]

    assert codes_of(answers) == {"422 idempotency-key-reused": 3}
    assert audit.differences(before, stage.dump()) == []


def test_of_two_concurrent_generates_with_one_key_one_wins(stage: Stage) -> None:
    """P4: all senders of one body get its links; all senders of the other get 422."""
    event_type = stage.event_type(stage.host())
    count = size(4, 10)
    for number in range(count):
        answers = race(
            [
                partial(generate, client, event_type, f"key-{number}", count=3, label=f"body {n % 2}")
                for n, client in enumerate(team(stage, 8))
            ]
        )

        assert sorted([codes_of(answers[0::2]), codes_of(answers[1::2])], key=str) == [
            {"201": 4},
            {"422 idempotency-key-reused": 4},
        ]
    assert len(audit.links_of(stage.audited())) == 3 * count


@pytest.mark.parametrize(
    "fault",
    [Reset(), LoseReply(), cancelled(*["TransactionConflict"] * 100)],
    ids=["reset", "lost", "conflict"],
)
def test_an_interrupted_generate_is_completed_by_a_retry(stage: Stage, dynamodb: Proxy, fault: Fault) -> None:
    """P4: the third transaction fails permanently; the retry creates only the missing links."""
    event_type = stage.event_type(stage.host())
    dynamodb.inject(operation("TransactWriteItems", event_type), fault, skip=2)

    responses = generate(stage.team, event_type)
    made = set(audit.links_of(stage.audited()))
    dynamodb.clear()
    answers = race([partial(generate, client, event_type) for client in team(stage, 4)])

    assert responses.status == 503
    if isinstance(fault, LoseReply):
        assert len(made) == COUNT  # the write succeeded, only its reply was lost
    else:
        assert 0 < len(made) < COUNT
    assert codes_of(answers) == {"201": 4}
    assert len({tuple(ids_of(answer)) for answer in answers}) == 1
    stored = set(audit.links_of(stage.audited()))
    assert made <= stored == set(ids_of(answers[0]))
    assert len(stored) == COUNT


def test_a_generate_whose_process_is_killed_is_completed_by_a_retry(stage: Stage, dynamodb: Proxy) -> None:
    """P4: SIGKILL between two transactions; the client retries on another process."""
    event_type = stage.event_type(stage.host())
    doomed, *_ = stage.apps
    dynamodb.inject(operation("TransactWriteItems", event_type), First(doomed.kill), times=1, skip=1)

    with pytest.raises(NoAnswerError):
        generate(stage.new_client(urls=[doomed.url], api_key=stage.api_key), event_type)
    made = set(audit.links_of(stage.audited()))
    answer = generate(stage.new_client(1, api_key=stage.api_key), event_type)

    assert 0 < len(made) < COUNT
    assert answer.code == "201"
    stored = set(audit.links_of(stage.audited()))
    assert made <= stored == set(ids_of(answer))
    assert len(stored) == COUNT
