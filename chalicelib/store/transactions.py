"""A transaction: named operations, written all or not at all; a refusal is looked up by the operation's name."""

from collections.abc import Sequence
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.store.faults import TransactionRefused, translated
from chalicelib.store.items import Item, Key
from chalicelib.store.table import Table


class Transaction:
    """The operations of one `TransactWriteItems`, each with a unique name.

    >>> transaction = Transaction(table)
    >>> transaction.put(receipt, is_new, name="receipt")
    >>> transaction.update(link_key(link_id), use, has_use_left, name="link")
    >>> try:
    ...     transaction.commit()
    ... except TransactionRefused as refused:
    ...     if "receipt" in refused:
    ...         earlier = refused["receipt"]
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._checks: dict[str, dict[str, Any]] = {}
        self._deletes: dict[str, dict[str, Any]] = {}
        self._puts: dict[str, dict[str, Any]] = {}
        self._updates: dict[str, dict[str, Any]] = {}

    def check(self, key: Key, condition: Condition, *, name: str) -> None:
        """Require a condition on an item without writing it."""
        self._add(self._checks, name, self._table.operation(key, condition=condition))

    def delete(self, key: Key, condition: Condition | None = None, *, name: str) -> None:
        """Delete an item."""
        self._add(self._deletes, name, self._table.operation(key, condition=condition))

    def put(self, item: Item, condition: Condition | None = None, *, name: str) -> None:
        """Write a whole item."""
        self._add(self._puts, name, self._table.operation(item.key, item=item, condition=condition))

    def update(
        self, key: Key, actions: Sequence[Action], condition: Condition | None = None, *, name: str
    ) -> None:
        """Change parts of an item."""
        self._add(self._updates, name, self._table.operation(key, actions=actions, condition=condition))

    def names(self) -> tuple[str, ...]:
        """Return the operations' names in the order in which PynamoDB sends them and DynamoDB returns its reasons."""
        return (*self._checks, *self._deletes, *self._puts, *self._updates)

    def commit(self) -> None:
        """Write all or nothing. Raises `TransactionRefused` if a condition did not hold, or a domain error."""
        with translated(self.names(), call="TransactWriteItems"):
            self._table.connect()
            self._table.connection.transact_write_items(
                condition_check_items=[*self._checks.values()],
                delete_items=[*self._deletes.values()],
                put_items=[*self._puts.values()],
                update_items=[*self._updates.values()],
            )

    def committed(self) -> bool:
        """Write all or nothing; return False if any condition did not hold."""
        try:
            self.commit()
        except TransactionRefused:
            return False
        return True

    def _add(self, kind: dict[str, dict[str, Any]], name: str, operation: dict[str, Any]) -> None:
        if name in self.names():
            raise ValueError(f"two operations of a transaction are named {name!r}")
        kind[name] = operation
