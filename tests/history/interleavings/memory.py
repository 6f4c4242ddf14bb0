"""An in-memory DynamoDB that handles one request at a time.

It replaces PynamoDB's botocore client, takes the same requests and raises the same errors. It has no concurrency, so it
proves nothing about races within an engine; the tests on ministack and dynoxide do that.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib.store.items import INDEX_KEYS
from tests.history.interleavings.expressions import Names, RawItem, holds, updated

Key = tuple[str, str]
Change = tuple[RawItem | None, RawItem | None]
"""An item before and after: what a stream record holds."""

_REFUSED: Final = "The conditional request failed"
_MAX_OPERATIONS: Final = 100


def client_error(code: str, operation: str, **more: Any) -> ClientError:
    """Return the error that botocore raises for an error response of DynamoDB."""
    result: Any = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": 400},
        **more,
    }
    return ClientError(result, operation)


class Memory:
    """The items by key, and every change in order, as the table's stream has it."""

    def __init__(self, items: Mapping[Key, RawItem] | None = None) -> None:
        self.items: dict[Key, RawItem] = dict(items or {})
        self.changes: list[Change] = []

    def answer(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Execute one request. Raises `ClientError` as DynamoDB does; then nothing is written."""
        return _OPERATIONS[operation](self, request)

    def get_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `GetItem`."""
        item = self.items.get(_key(request["Key"]))
        return {"Item": dict(item)} if item is not None else {}

    def batch_get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `BatchGetItem`. All items are read at one moment, which DynamoDB does not guarantee."""
        responses = {
            table: [dict(item) for key in asked["Keys"] if (item := self.items.get(_key(key))) is not None]
            for table, asked in request["RequestItems"].items()
        }
        return {"Responses": responses, "UnprocessedKeys": {}}

    def query(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `Query`. Indexes are always up to date, and only `Limit` ends a page."""
        names = _names(request)
        sort = INDEX_KEYS[request["IndexName"]][1] if "IndexName" in request else "sk"
        found = [
            item
            for item in self.items.values()
            if sort in item and holds(request["KeyConditionExpression"], item, names)
        ]
        found.sort(key=lambda item: str(item[sort]["S"]), reverse=not request.get("ScanIndexForward", True))
        if "IndexName" in request:
            kept = {"pk", "sk", *INDEX_KEYS[request["IndexName"]]}
            found = [{name: value for name, value in item.items() if name in kept} for item in found]
        found = found[: request.get("Limit")]
        return {"Items": found, "Count": len(found), "ScannedCount": len(found)}

    def put_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `PutItem`."""
        self._alone("PutItem", request, lambda _: dict(request["Item"]), _key(request["Item"]))
        return {}

    def update_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `UpdateItem` with the updated item."""
        after = self._alone("UpdateItem", request, _update_of(request), _key(request["Key"]))
        return {"Attributes": dict(after or {})}

    def delete_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `DeleteItem`."""
        self._alone("DeleteItem", request, lambda _: None, _key(request["Key"]))
        return {}

    def transact(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `TransactWriteItems`: check all conditions first, then write everything or nothing."""
        written: list[tuple[Key, RawItem | None]] = []
        reasons: list[dict[str, Any]] = []
        for one in request["TransactItems"]:
            [(kind, part)] = one.items()
            key = _key(part["Item"] if kind == "Put" else part["Key"])
            before = self.items.get(key)
            if not holds(part.get("ConditionExpression"), before, _names(part)):
                result = {"Item": before} if before and "ReturnValuesOnConditionCheckFailure" in part else {}
                reasons.append({"Code": "ConditionalCheckFailed", "Message": _REFUSED, **result})
                continue
            reasons.append({"Code": "None"})
            if kind != "ConditionCheck":
                written.append((key, _AFTER[kind](part)(before)))
        keys = [key for key, _ in written]
        if len(set(keys)) != len(keys) or len(reasons) > _MAX_OPERATIONS:
            raise client_error("ValidationException", "TransactWriteItems")
        if any(reason["Code"] != "None" for reason in reasons):
            raise client_error(
                "TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons
            )
        for key, after in written:
            self._write(key, after)
        return {}

    def _alone(
        self,
        operation: str,
        request: Mapping[str, Any],
        change: Callable[[RawItem | None], RawItem | None],
        key: Key,
    ) -> RawItem | None:
        before = self.items.get(key)
        if not holds(request.get("ConditionExpression"), before, _names(request)):
            raise client_error("ConditionalCheckFailedException", operation)
        after = change(before)
        self._write(key, after)
        return after

    def _write(self, key: Key, after: RawItem | None) -> None:
        before = self.items.get(key)
        if before != after:
            self.changes.append((before, after))
        if after is None:
            self.items.pop(key, None)
        else:
            self.items[key] = after


def _update_of(request: Mapping[str, Any]) -> Callable[[RawItem | None], RawItem]:
    def change(before: RawItem | None) -> RawItem:
        # As in DynamoDB, an update without a condition creates a missing item from its key and the new attributes.
        return updated(request["UpdateExpression"], before or dict(request["Key"]), _names(request))

    return change


_AFTER: Final[dict[str, Callable[[Mapping[str, Any]], Callable[[RawItem | None], RawItem | None]]]] = {
    "Put": lambda part: lambda _: dict(part["Item"]),
    "Delete": lambda _: lambda _: None,
    "Update": _update_of,
}
_OPERATIONS: Final[dict[str, Callable[[Memory, Mapping[str, Any]], dict[str, Any]]]] = {
    "GetItem": Memory.get_item,
    "BatchGetItem": Memory.batch_get,
    "Query": Memory.query,
    "PutItem": Memory.put_item,
    "UpdateItem": Memory.update_item,
    "DeleteItem": Memory.delete_item,
    "TransactWriteItems": Memory.transact,
}


def _key(typed: Mapping[str, Any]) -> Key:
    return typed["pk"]["S"], typed["sk"]["S"]


def _names(request: Mapping[str, Any]) -> Names:
    return Names(request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {}))
