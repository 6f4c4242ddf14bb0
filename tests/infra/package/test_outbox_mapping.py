"""The stream's event source mapping: which records reach the outbox, and where records go that crash it (P6)."""

import inspect
import json
from datetime import UTC, date, datetime
from typing import Any, Final

import pytest

from chalicelib.domain.mail.digests import DigestId
from chalicelib.domain.mail.mails import Addressee, MailId
from chalicelib.store import items
from chalicelib.store.events.outbox import _READERS
from infra.local.aws import local_client
from infra.local.engines.ministack import Ministack

NOW: Final = datetime(2026, 11, 21, 9, tzinfo=UTC)
SAMPLES: Final[dict[Any, Any]] = {
    datetime: NOW,
    date: NOW.date(),
    int: 1,
    int | None: 1,
    MailId: MailId("evt_a", Addressee.HOST),
    DigestId: DigestId("hst_a", NOW.date()),
    str: "x",
}

# Every kind of item, by its key. Add a new kind to one of the sets. History entries are tested separately.
TOLD: Final = {"link_key", "booking_key", "opens_key", "denial_key", "request_key", "heartbeat_key"}
UNTOLD: Final = {
    "host_key",
    "api_key_key",
    "event_type_key",
    "rolling_key",
    "applied_events_key",
    "restore_key",
    "receipt_key",
    "day_key",
    "batch_key",
    "webhook_key",
    "host_webhooks_key",
    "delivery_key",
    "mail_key",
    "mail_budget_key",
    "mail_digest_key",
    "notice_key",
    "link_mail_key",
}


def _keys() -> dict[str, tuple[str, str]]:
    """Return a key of each kind of item, from the store's functions."""
    return {
        name: make(
            *(SAMPLES[parameter.annotation] for parameter in inspect.signature(make).parameters.values())
        )
        for name, make in inspect.getmembers(items, inspect.isfunction)
        if name.endswith("_key") and inspect.signature(make).return_annotation == items.Key
    }


@pytest.fixture
def filters(resources: dict[str, Any]) -> list[str]:
    found = resources["OutboxStream"]["Properties"]["FilterCriteria"]["Filters"]
    return [each["Pattern"] for each in found]


def _reaches_function(
    ministack: Ministack, filters: list[str], key: tuple[str, str], *, event: str = "INSERT", **image: Any
) -> bool:
    """Return whether a change of such an item reaches the function. Lambda uses EventBridge's patterns."""
    keys = {"pk": {"S": key[0]}, "sk": {"S": key[1]}}
    sort = "OldImage" if event == "REMOVE" else "NewImage"
    record = {"eventName": event, "dynamodb": {"Keys": keys, sort: {**keys, **image}, "SequenceNumber": "1"}}
    around = {
        "id": "1", "account": "1", "region": "us-east-1", "resources": [], "time": "2026-11-21T10:00:00Z",
        "source": "stream", "detail-type": "record", "detail": record,
    }  # fmt: skip
    events = local_client("events", ministack.endpoint_url)
    return any(
        events.test_event_pattern(
            EventPattern=json.dumps({"detail": json.loads(pattern)}), Event=json.dumps(around)
        )["Result"]
        for pattern in filters
    )


def test_only_changes_of_links_bookings_and_history_reach_the_function(
    ministack: Ministack, filters: list[str]
) -> None:
    """P6: other items (days, receipts, deliveries, mails) change more often, and each record costs an invocation."""
    keys = _keys()
    assert set(keys) == TOLD | UNTOLD | {"history_key"}
    for event in ("INSERT", "MODIFY", "REMOVE"):
        assert {
            name for name in keys if _reaches_function(ministack, filters, keys[name], event=event)
        } == TOLD, event
    entry = keys["history_key"]
    assert not _reaches_function(ministack, filters, entry), (
        "written by the outbox itself: it would never end"
    )
    assert _reaches_function(ministack, filters, entry, direct={"BOOL": True}), "e.g. a host's delete"
    assert {keys[name][1].partition("#")[0] for name in TOLD | {"history_key"}} == set(_READERS)


def test_a_failed_batch_is_retried_bisected_and_finally_stored_in_a_bucket(resources: dict[str, Any]) -> None:
    """P6: a queue would get only the batch's position in the stream, which keeps records for a day."""
    mapping = resources["OutboxStream"]["Properties"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert 0 < mapping["MaximumRetryAttempts"] < 100, (
        "a record that always crashes must not hold up its shard for long"
    )
    assert mapping["StartingPosition"] == "TRIM_HORIZON", (
        "changes from before the mapping existed are published too"
    )
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert "MaximumRecordAgeInSeconds" not in mapping, "a late record must not be dropped"
    destination = mapping["DestinationConfig"]["OnFailure"]["Destination"]
    bucket = resources[destination["Fn::GetAtt"][0]]
    assert bucket["Type"] == "AWS::S3::Bucket"
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert "BucketEncryption" in properties
    (rule,) = properties["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] >= 14, "dead letters are kept for as long"


def test_the_function_may_write_to_that_bucket_but_not_read_it(expanded: dict[str, Any]) -> None:
    """Lambda writes the object with the function's role; without the right the batch would be lost."""
    policies = expanded["Resources"]["OutboxRole"]["Properties"]["Policies"]
    granted = {
        (action, json.dumps(resource))
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        for action in statement["Action"]
        if action.startswith("s3:")
        for resource in statement["Resource"]
    }
    assert granted == {
        ("s3:PutObject", json.dumps({"Fn::Sub": "${OutboxCrashes.Arn}/*"})),
        ("s3:ListBucket", json.dumps({"Fn::GetAtt": ["OutboxCrashes", "Arn"]})),
    }
