"""The table: every request to DynamoDB is sent here, over one shared connection."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from pynamodb.connection.base import MetaTable
from pynamodb.connection.table import TableConnection
from pynamodb.constants import ALL_OLD, ITEM, ITEMS, KEY, RESPONSES, UNPROCESSED_KEYS
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.connections import keep_fresh, load_certificates_once
from chalicelib.domain.errors import Fault, StoreUnavailableError, ThrottledError, TryLaterError
from chalicelib.store.faults import SERVICE, ConditionRefused, RawItem, translated
from chalicelib.store.items import INDEX_KEYS, Item, Key, is_understood
from chalicelib.store.session import use_fast_loader

_I = TypeVar("_I", bound=Item)

CONNECT_TIMEOUT_SECONDS: Final = 2
READ_TIMEOUT_SECONDS: Final = 5
TRIES: Final = 3
MAX_CONNECTIONS: Final = 64
_BATCH_GET: Final = 100  # DynamoDB's limit of keys per call
_BATCH_PUT: Final = 25  # DynamoDB's limit of items per call
_BATCH_TRIES: Final = 6


class Table:
    """One DynamoDB table. Reads are strongly consistent unless they go through an index."""

    def __init__(
        self,
        name: str,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._sleep = sleep
        self._table = TableConnection(
            name,
            region=region,
            host=endpoint_url,
            connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS,
            read_timeout_seconds=READ_TIMEOUT_SECONDS,
            max_retry_attempts=0,  # botocore would resend a redeem with the `now` of its first try (P3)
            max_pool_connections=MAX_CONNECTIONS,
            meta_table=MetaTable(_description(name)),
        )
        self.connection = self._table.connection
        self._fresh: Any = None
        self._lock = threading.Lock()
        use_fast_loader(self.session)

    @property
    def session(self) -> Any:
        """The botocore session of the calling thread."""
        return self.connection.session

    @property
    def client(self) -> Any:
        """The botocore client, created on first use. PynamoDB replaces one that was created without credentials."""
        client = self.connection.client
        if client is not self._fresh:
            with self._lock:
                if client is not self._fresh:
                    keep_fresh(client)
                    load_certificates_once(client)
                    self._fresh = client
        return client

    def connect(self) -> None:
        """Create the client now, without a call to DynamoDB."""
        _ = self.client

    def get(self, kind: type[_I], key: Key) -> _I | None:
        """Return one item in its current state, or None. Raises `NewerItemError`."""
        raw = self.get_raw(key)
        return kind.from_raw_data(raw) if raw else None

    def get_raw(self, key: Key) -> RawItem | None:
        """Return one item in its current state, in DynamoDB's typed JSON, or None."""
        request = self.operation(key, return_old_item=False) | {"ConsistentRead": True}
        raw: RawItem | None = self._send("GetItem", request).get(ITEM)
        return raw

    def get_many(self, keys: Iterable[Key], only: Sequence[str] = ()) -> dict[Key, RawItem]:
        """Return the items that exist, by key, in their current state. One round trip for each 100 keys.

        With `only`, an item has just its key and those attributes: it costs the same read units, but less time.
        Raises `ThrottledError` if DynamoDB keeps returning only unprocessed keys.
        """
        wanted = list(dict.fromkeys(keys))
        found: dict[Key, RawItem] = {}
        for at in range(0, len(wanted), _BATCH_GET):
            pending = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in wanted[at : at + _BATCH_GET]]
            tries = 0
            while pending:
                if tries == _BATCH_TRIES:
                    raise ThrottledError(fault=Fault("UnprocessedKeys", SERVICE, "BatchGetItem"))
                if tries:
                    self._sleep(_jitter(tries))
                request = {"Keys": pending, "ConsistentRead": True, **_projection(only)}
                answer = self._send("BatchGetItem", {"RequestItems": {self.name: request}})
                rows = answer.get(RESPONSES, {}).get(self.name, ())
                found |= {(raw["pk"]["S"], raw["sk"]["S"]): raw for raw in rows}
                pending = answer.get(UNPROCESSED_KEYS, {}).get(self.name, {}).get("Keys", [])
                tries = 1 if rows else tries + 1  # a response is cut at 16 MB, so progress is no failed try
        return found

    def get_in_order(self, kind: type[_I], keys: Iterable[Key]) -> list[_I]:
        """Return the items that exist, in their current state, in the requested order.

        Items that need newer code are left out. Raises the errors of `get_many`.
        """
        return [kind.of_any_version(raw) for raw in self._in_order(keys) if is_understood(raw)]

    def get_any_version(self, kind: type[_I], keys: Iterable[Key]) -> list[_I]:
        """As `get_in_order`, with items that need newer code. Raises the errors of `get_many`."""
        return [kind.of_any_version(raw) for raw in self._in_order(keys)]

    def _in_order(self, keys: Iterable[Key]) -> list[RawItem]:
        wanted = list(keys)
        found = self.get_many(wanted)
        return [found[key] for key in wanted if key in found]

    def query(self, kind: type[_I], pk: str, sort_from: str, sort_to: str) -> list[_I]:
        """Return the items of one partition with `sort_from <= sk <= sort_to`, in order; eventually consistent."""
        between = Path("sk").between(sort_from, sort_to)
        return [kind.from_raw_data(raw) for raw in self._rows(pk, between, None)]

    def newest(self, kind: type[_I], pk: str, sort_from: str, below: str, limit: int) -> list[_I]:
        """Return up to `limit` items of a partition with `sort_from <= sk < below`, last first; strongly consistent."""
        between = Path("sk").between(sort_from, below)  # inclusive, so one more
        rows = self._rows(pk, between, limit + 1, scan_index_forward=False, consistent_read=True)
        return [kind.from_raw_data(raw) for raw in rows if raw["sk"]["S"] < below][:limit]

    def oldest(self, kind: type[_I], pk: str, after: str, sort_to: str, limit: int) -> list[_I]:
        """Return up to `limit` items of a partition with `after < sk <= sort_to`, in order; strongly consistent."""
        between = Path("sk").between(after, sort_to)  # inclusive, so one more
        rows = self._rows(pk, between, limit + 1, consistent_read=True)
        return [kind.from_raw_data(raw) for raw in rows if raw["sk"]["S"] > after][:limit]

    def count(self, pk: str, sort_from: str, sort_to: str, after: str | None) -> tuple[int, str | None]:
        """Return the number of items with `sort_from <= sk <= sort_to`, and the `sk` from which to continue, if any.

        One call counts about 1 MB of items; pass the returned `sk` as `after`. Strongly consistent.
        """
        start = None if after is None else {"pk": {"S": pk}, "sk": {"S": after}}
        page = self._retrying(
            lambda: self._table.query(
                pk,
                range_key_condition=Path("sk").between(sort_from, sort_to),
                exclusive_start_key=start,
                consistent_read=True,
                select="COUNT",
            )
        )
        last = page.get("LastEvaluatedKey")
        return int(page["Count"]), last["sk"]["S"] if last else None

    def index_page(
        self,
        index: str,
        partition: str,
        condition: Condition | None,
        limit: int,
        *,
        newest_first: bool = True,
    ) -> list[dict[str, str]]:
        """Return up to `limit` entries of an index partition: keys only, eventually consistent."""
        rows = self._rows(partition, condition, limit, index_name=index, scan_index_forward=not newest_first)
        return [{name: value["S"] for name, value in raw.items()} for raw in rows]

    def _rows(self, pk: str, condition: Condition | None, limit: int | None, **how: Any) -> list[RawItem]:
        """Return up to `limit` rows of a query (None: all of them).

        DynamoDB ends a response after 1 MB, whatever the limit, so a short response does not mean that no more follow:
        only a missing `LastEvaluatedKey` does.
        """
        found: list[RawItem] = []
        start: Any = None
        while True:
            query = partial(
                self._table.query,
                pk,
                range_key_condition=condition,
                limit=None if limit is None else limit - len(found),
                exclusive_start_key=start,
                **how,
            )
            page = self._retrying(query)
            found += page[ITEMS]
            start = page.get("LastEvaluatedKey")
            if not start or len(found) == limit:
                return found

    def put(self, item: Item, condition: Condition, *, tries: int = TRIES) -> bool:
        """Write a whole item if the condition holds; return whether it did.

        For a new item with a random id, False means that an earlier try succeeded and its reply was lost: the item
        exists either way. If somebody can delete the item, use one try: another would write it again.
        """
        request = self.operation(item.key, item=item, condition=condition, return_old_item=False)
        try:
            self._send("PutItem", request, tries)
        except ConditionRefused:
            return False
        return True

    def put_many(self, items: Iterable[Item]) -> None:
        """Write whole items, whatever is stored under their keys. One round trip for each 25 items; not atomic.

        Raises `ThrottledError` if DynamoDB keeps returning unprocessed items.
        """
        wanted = list({item.key: item for item in items}.values())
        for at in range(0, len(wanted), _BATCH_PUT):
            puts = (self.operation(item.key, item=item) for item in wanted[at : at + _BATCH_PUT])
            pending = [{"PutRequest": {ITEM: put[ITEM]}} for put in puts]
            for attempt in range(_BATCH_TRIES):
                if attempt:
                    self._sleep(_jitter(attempt))
                answer = self._send("BatchWriteItem", {"RequestItems": {self.name: pending}})
                pending = answer.get("UnprocessedItems", {}).get(self.name, [])
                if not pending:
                    break
            else:
                raise ThrottledError(fault=Fault("UnprocessedItems", SERVICE, "BatchWriteItem"))

    def change(self, key: Key, actions: Sequence[Action], condition: Condition) -> bool:
        """Update parts of an item if the condition holds; return whether it did."""
        try:
            self.update(key, actions, condition)
        except ConditionRefused:
            return False
        return True

    def update(
        self, key: Key, actions: Sequence[Action], condition: Condition | None, *, tries: int = TRIES
    ) -> RawItem:
        """Update parts of an item and return the whole new item. Raises `ConditionRefused`.

        A condition that contains the time needs `tries=1`: its caller retries with a new time (P3).
        """
        request = self.operation(key, actions=actions, condition=condition, return_old_item=False)
        request |= {"ReturnValues": "ALL_NEW"}
        raw: RawItem = self._send("UpdateItem", request, tries)["Attributes"]
        return raw

    def _send(self, operation: str, request: dict[str, Any], tries: int = TRIES) -> dict[str, Any]:
        # A copy, because PynamoDB adds to the request.
        return self._retrying(lambda: self.connection.dispatch(operation, dict(request)), tries, operation)

    def _retrying(
        self, send: Callable[[], dict[str, Any]], tries: int = TRIES, call: str = "Query"
    ) -> dict[str, Any]:
        """Send a read or a single write; retry it if DynamoDB throttles or fails, or if the reply is lost.

        A conditional write whose reply was lost may be refused because its first try already succeeded. So callers
        must treat a refusal as "my write succeeded, or another one did", and read the item to find out.
        A transaction is not retried here: its caller does that, with a new `now`.
        """
        last: TryLaterError = StoreUnavailableError()
        for attempt in range(tries):
            if attempt:
                self._sleep(_jitter(attempt))
            try:
                with translated(call=call):
                    self.connect()
                    return send()
            except TryLaterError as error:
                last = error
                last.attempts = attempt + 1
        raise last

    def operation(
        self,
        key: Key,
        *,
        item: Item | None = None,
        actions: Sequence[Action] | None = None,
        condition: Condition | None = None,
        return_old_item: bool = True,
    ) -> dict[str, Any]:
        """Return the request of one write. With `return_old_item`, a refusal contains the item that was there."""
        return self._table.get_operation_kwargs(
            key[0],
            range_key=key[1],
            key=KEY if item is None else ITEM,
            attributes=None if item is None else item.serialize(),
            actions=actions,
            condition=condition,
            return_values_on_condition_failure=ALL_OLD if return_old_item else None,
        )


def _projection(attributes: Sequence[str]) -> dict[str, Any]:
    """Return the part of a request that asks for some attributes and the key; names may be reserved words."""
    if not attributes:
        return {}
    names = {f"#{number}": name for number, name in enumerate(("pk", "sk", *attributes))}
    return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}


def _jitter(attempt: int) -> float:
    return random.uniform(0, 0.05 * 2**attempt)  # noqa: S311 - spreads retries, not a secret


def _description(name: str) -> dict[str, Any]:
    """Return the part of `DescribeTable` that PynamoDB needs, so that it never calls it."""
    attributes = dict.fromkeys(["pk", "sk", *(key for keys in INDEX_KEYS.values() for key in keys)])
    return {
        "TableName": name,
        "KeySchema": _key_schema("pk", "sk"),
        "AttributeDefinitions": [{"AttributeName": a, "AttributeType": "S"} for a in attributes],
        "GlobalSecondaryIndexes": [
            {"IndexName": index, "KeySchema": _key_schema(*keys)} for index, keys in INDEX_KEYS.items()
        ],
    }


def _key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
