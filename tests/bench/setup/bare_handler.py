"""The baseline of a warm redeem: a handwritten handler on botocore that does the same work on the same items.

It reads what a redeem must read (link and receipt, event type and host), checks the token and the link's status, and
writes the same transaction. It has no framework, no models, and none of the API's validation, errors, retries or
replays.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def bare_handler(client: Any, table: str, key: bytes) -> Handler:
    """Return the handler; `client` is a botocore DynamoDB client, and `key` the signing key with id 1."""

    def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
        del context
        now = int(time.time() * 1000)
        body = json.loads(event["body"])
        raw = base64.urlsafe_b64decode(event["pathParameters"]["token"])
        mac = hmac.new(key, b"link\x00" + raw[:-10], hashlib.sha256).digest()[:10]
        if not hmac.compare_digest(mac, raw[-10:]):
            return {"statusCode": 404, "body": ""}
        link_id = "lnk_" + base64.b32encode(raw[1:-10]).decode().rstrip("=").lower()
        start = datetime.fromisoformat(body["start"])
        person = f"{int(start.timestamp() * 1000)}\x00{body['invitee']['email'].lower()}"
        receipt_id = hashlib.sha256(b"keyless\x00" + person.encode()).hexdigest()[:40]
        link_key = {"pk": {"S": f"LINK#{link_id}"}, "sk": {"S": "LINK"}}
        receipt_key = {"pk": {"S": f"LINK#{link_id}"}, "sk": {"S": f"RECEIPT#{receipt_id}"}}
        link = _read(client, table, link_key, receipt_key)[f"LINK#{link_id}", "LINK"]
        if link["status"]["S"] != "active":
            return {"statusCode": 410, "body": ""}
        host_id, event_type_id = link["hostId"]["S"], link["eventTypeId"]["S"]
        event_type_key = {"pk": {"S": f"ETYPE#{event_type_id}"}, "sk": {"S": "ETYPE"}}
        host_key = {"pk": {"S": f"HOST#{host_id}"}, "sk": {"S": "HOST"}}
        found = _read(client, table, event_type_key, host_key)
        settings = json.loads(found[f"ETYPE#{event_type_id}", "ETYPE"]["settings"]["S"])
        minutes = settings["duration_minutes"]
        end = start + timedelta(minutes=minutes)
        booking_id = "bkg_" + base64.b32encode(os.urandom(16)).decode().rstrip("=").lower()
        document = {
            "bookingId": booking_id,
            "linkId": link_id,
            "start": start.isoformat(),
            "end": end.isoformat(),
            "invitee": body["invitee"],
        }
        client.transact_write_items(
            TransactItems=_writes(table, link, link_key, receipt_key, document, start, end, now)
        )
        return {"statusCode": 201, "body": json.dumps(document)}

    return handle


def _read(client: Any, table: str, *keys: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    answer = client.batch_get_item(RequestItems={table: {"Keys": list(keys), "ConsistentRead": True}})
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in answer["Responses"][table]}


def _booking_item(
    link: dict[str, Any], booking: dict[str, Any], start: datetime, end: datetime, now: int
) -> dict[str, Any]:
    host_id, event_type_id, link_id = link["hostId"]["S"], link["eventTypeId"]["S"], booking["linkId"]
    return {
        "pk": {"S": f"BOOKING#{booking['bookingId']}"},
        "sk": {"S": "BOOKING"},
        "linkId": {"S": link_id},
        "hostId": {"S": host_id},
        "eventTypeId": {"S": event_type_id},
        "status": {"S": "confirmed"},
        "title": {"S": "Talk"},
        "timeZone": {"S": "Europe/Berlin"},
        "invitee": {"S": json.dumps(booking["invitee"])},
        "start": {"N": str(int(start.timestamp() * 1000))},
        "end": {"N": str(int(end.timestamp() * 1000))},
        "occupiedFrom": {"N": str(int(start.timestamp() * 1000))},
        "occupiedTo": {"N": str(int(end.timestamp() * 1000))},
        "createdAt": {"N": str(now)},
        "sequence": {"N": "1"},
        "keyId": {"N": "1"},
        "hostKey": {"S": f"HOST#{host_id}#BOOKING#confirmed"},
        "eventTypeKey": {"S": f"ETYPE#{event_type_id}#BOOKING#confirmed"},
        "referenceKey": {"S": f"LINK#{link_id}#BOOKING"},
        "listSort": {"S": f"{int(start.timestamp() * 1000):014d}#{booking['bookingId']}"},
        "actor": {"S": "invitee"},
        "correlationId": {"S": "bench"},
        "purgeAt": {"N": _purge_at(now)},
    }


def _purge_at(now: int) -> str:
    return str(now // 1000 + 30 * 86_400)


def _writes(
    table: str,
    link: dict[str, Any],
    link_key: dict[str, Any],
    receipt_key: dict[str, Any],
    booking: dict[str, Any],
    start: datetime,
    end: datetime,
    now: int,
) -> list[dict[str, Any]]:
    host_id, event_type_id = link["hostId"]["S"], link["eventTypeId"]["S"]
    first = (start.hour * 60 + start.minute) // 5
    cells = [str(cell) for cell in range(first, first + int((end - start).total_seconds() // 300))]
    names = {f":c{number}": {"N": cell} for number, cell in enumerate(cells)}
    free = " OR ".join(f"contains(busy, {name})" for name in names)
    audit = {":a": {"S": "invitee"}, ":i": {"S": "bench"}, ":p": {"N": _purge_at(now)}}
    item = _booking_item(link, booking, start, end, now)
    receipt = {**receipt_key, "bodyHash": {"S": "0" * 64}, "bookingId": {"S": booking["bookingId"]}}
    day = {"pk": {"S": f"HOST#{host_id}"}, "sk": {"S": f"DAY#{start.astimezone(UTC).date()}"}}
    common_fields = {"TableName": table, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return [
        {"Put": {**common_fields, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}},
        {"Put": {**common_fields, "Item": receipt, "ConditionExpression": "attribute_not_exists(pk)"}},
        {
            "Update": {
                **common_fields,
                "Key": link_key,
                "UpdateExpression": "SET #s = :used, usedAt = :now, hostKey = :h, eventTypeKey = :e, purgeAt = :p, "
                "actor = :a, correlationId = :i ADD usageCount :one, #q :one",
                "ConditionExpression": "attribute_exists(pk) AND #s = :active AND usageCount < maxUsageCount AND "
                "(attribute_not_exists(expiresAt) OR expiresAt > :now) AND "
                "(attribute_not_exists(notBefore) OR notBefore <= :now)",
                "ExpressionAttributeNames": {"#s": "status", "#q": "sequence"},
                "ExpressionAttributeValues": {
                    ":used": {"S": "used"},
                    ":active": {"S": "active"},
                    ":one": {"N": "1"},
                    ":now": {"N": str(now)},
                    ":h": {"S": f"HOST#{host_id}#LINK#used"},
                    ":e": {"S": f"ETYPE#{event_type_id}#LINK#used"},
                    **audit,
                },
            }
        },
        {
            "Update": {
                **common_fields,
                "Key": day,
                "UpdateExpression": "SET purgeAt = :p, actor = :a, correlationId = :i ADD busy :cells",
                "ConditionExpression": f"NOT ({free})",
                "ExpressionAttributeValues": {":cells": {"NS": cells}, **names, **audit},
            }
        },
    ]
