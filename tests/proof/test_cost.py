"""P7: the DynamoDB calls of each request, counted on the wire. A forged token causes none."""

import base64
import json
from functools import partial

import pytest

from tests.support.proof.harness import (
    Answer,
    Client,
    Link,
    Stage,
    codes_of,
    day_start,
    race,
    rfc3339,
    starts,
)
from tests.support.proof.proxy import Proxy, is_note
from tests.support.proof.size import size

FORGERIES = size(320, 50_000)  # on each engine
SAME_ID = {"X-Correlation-Id": "the-same-for-all"}  # it is in the body, and the test compares whole bodies


@pytest.mark.timeout(3600)
def test_forged_tokens_cause_no_read_and_all_get_the_same_response(stage: Stage, dynamodb: Proxy) -> None:
    """P7: the response is also the same as for an unknown id."""
    link, [start] = stage.link(), starts(1)
    booked = stage.new_client().redeem(link, start, "grace@example.com")
    booking_token = booked.json["url"].rpartition("/")[2]
    forged = [forgery(stage, link.token, booking_token) for _ in range(FORGERIES)]
    dynamodb.clear()

    def try_them(client: Client, mine: list[str]) -> list[Answer]:
        answers = []
        for n, token in enumerate(mine):
            path, method, body = [
                (f"/s/{token}", "GET", None),
                (f"/s/{token}/slots", "GET", None),
                (f"/s/{token}/redeem", "POST", redeem_body(rfc3339(start))),
                (f"/b/{token}", "GET", None),
            ][n % 4]
            answers.append(client.send(method, path, body, SAME_ID))
        return answers

    responses = race([partial(try_them, client, forged[n::16]) for n, client in enumerate(stage.clients())])

    assert dynamodb.calls == []
    answers = [answer for some in responses for answer in some]
    assert codes_of(answers) == {"404 not-found": FORGERIES}
    unknown = stage.new_client(api_key=stage.api_key).send(
        "GET", f"/v1/links/lnk_{'a' * 26}", headers=SAME_ID
    )
    assert {answer.body for answer in answers} == {unknown.body}
    assert len({json.dumps(sorted(set(answer.headers) - {"date"})) for answer in answers}) == 1


def forgery(stage: Stage, link_token: str, booking_token: str) -> str:
    """Return a string that looks like a token: random, altered, or with the tag of another kind."""
    random = stage.random
    raw = bytearray(base64.urlsafe_b64decode(link_token))
    match random.randrange(5):
        case 0:
            raw = bytearray(random.randbytes(27))
            raw[0] = 1  # an existing key id
        case 1:
            bit = random.randrange(27 * 8)
            raw[bit // 8] ^= 1 << bit % 8
        case 2:
            raw[0] = random.randrange(2, 256)  # an unknown key id
        case 3:
            return "".join(
                random.choices("abcdefghijklmnopqrstuvwxyzABCDEF0123456789-_", k=random.choice((35, 36, 37)))
            )
        case 4:
            raw[17:] = base64.urlsafe_b64decode(booking_token)[17:]  # the tag of another token
    return base64.urlsafe_b64encode(raw).decode()


def test_a_link_token_opens_no_booking_and_a_booking_token_no_link(stage: Stage, dynamodb: Proxy) -> None:
    """P7: each is treated as a forgery, and causes no read."""
    link, slots = stage.link(maxUsageCount=None), starts(2)
    client = stage.new_client()
    booked = client.redeem(link, slots[0], "grace@example.com")
    dynamodb.clear()
    booking = Link("", booked.json["url"].rpartition("/")[2])

    answers = [
        client.send("GET", f"/b/{link.token}"),
        client.send("GET", f"/s/{booking.token}"),
        client.redeem(booking, slots[1], "grace@example.com"),
    ]

    assert codes_of(answers) == {"404 not-found": 3}
    assert dynamodb.calls == []


def test_a_redeem_takes_three_round_trips(stage: Stage, dynamodb: Proxy) -> None:
    """The last one is a transaction of four items, or five if the booking spans midnight."""
    event_type = stage.event_type(stage.host(), 30, zone="America/New_York")
    client = stage.new_client()
    for start, items in ((day_start() + 12 * (starts(2, 60)[1] - day_start()), 4), (day_start(3), 4)):
        [link] = stage.links(event_type)
        dynamodb.clear()

        assert client.redeem(link, start, "grace@example.com").code == "201"

        assert_redeem_cost(dynamodb, items)
    [link] = stage.links(stage.event_type(stage.host(), 30, bufferBeforeMinutes=15))
    dynamodb.clear()
    assert client.redeem(link, day_start(), "grace@example.com").code == "201"
    assert_redeem_cost(dynamodb, 5)


def assert_redeem_cost(dynamodb: Proxy, items: int) -> None:
    calls = dynamodb.calls
    assert len(calls) <= 3
    assert calls[-1].name == "TransactWriteItems"
    assert len(calls[-1].document["TransactItems"]) == items
    # A redeem reads no index.
    assert {call.name for call in calls[:-1]} <= {"GetItem", "BatchGetItem"}
    assert all(b"IndexName" not in call.body for call in calls)


def test_a_refused_redeem_takes_two_reads_and_one_write(stage: Stage, dynamodb: Proxy) -> None:
    """The reads are of the link and of a receipt; the write records the refusal."""
    link, slots = stage.link(), starts(2)
    client = stage.new_client()
    assert client.redeem(link, slots[0], "grace@example.com").code == "201"
    dynamodb.clear()

    assert client.redeem(link, slots[1], "ada@example.com").code == "410 link-used"

    reads = [call for call in dynamodb.calls if not is_note(call)]
    assert len(reads) <= 2
    assert {call.name for call in reads} <= {"GetItem", "BatchGetItem"}
    assert len(dynamodb.calls) - len(reads) <= 1


def test_the_booking_page_takes_three_round_trips(stage: Stage, dynamodb: Proxy) -> None:
    """Thirty days of slots, as JSON and as HTML; no call reads an index or scans."""
    link = stage.link()
    client = stage.new_client()
    for path, accept in (
        (f"/s/{link.token}/slots", "application/json"),
        (f"/s/{link.token}", "text/html"),
        (f"/s/{link.token}", "application/json"),
    ):
        dynamodb.clear()

        assert client.send("GET", path, headers={"Accept": accept}).status == 200

        reads = [call for call in dynamodb.calls if not is_note(call)]
        assert len(reads) <= 3
        assert {call.name for call in reads} <= {"GetItem", "BatchGetItem", "Query"}
        assert all(b"IndexName" not in call.body for call in reads)
        assert len(dynamodb.calls) - len(reads) <= 1


def redeem_body(start: str) -> dict[str, object]:
    return {"start": start, "timeZone": "UTC", "invitee": {"name": "Grace", "email": "grace@example.com"}}
