"""Write items directly into dynoxide's SQLite file, in its own format: about a hundred times as fast as its API."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from chalicelib.store.items import INDEX_KEYS
from tests.bench.sizes import size_of

Row = tuple[str, str, str, int]
"""An item: its partition and sort key, its JSON, and its size in bytes."""

Entry = tuple[str, str, str, str, str]
"""An index entry: its partition and sort key in the index, the item's keys, and the JSON of its attributes."""

_SCHEMA: Final = "9"  # of dynoxide 1.2


class DynoxideFile:
    """One table in the file of a dynoxide that is not running."""

    def __init__(self, database: sqlite3.Connection, table: str) -> None:
        self._database = database
        self._table = table

    def insert(self, rows: Iterable[Row]) -> None:
        """Insert items without their index entries. In the order of their keys, this is fast."""
        self._database.executemany(
            f'INSERT INTO "{self._table}" (pk, sk, item_json, item_size) VALUES (?, ?, ?, ?)',  # noqa: S608 - the table's name
            rows,
        )

    def insert_entries(self, index: str, entries: Iterable[Entry]) -> None:
        """Insert entries of one index."""
        self._database.executemany(
            f'INSERT INTO "{self._table}::gsi::{index}" VALUES (?, ?, ?, ?, ?)',  # noqa: S608 - as above
            entries,
        )

    def insert_copies(self, item: Mapping[str, Any], model: str, ids: Sequence[str]) -> None:
        """Insert copies of an item in DynamoDB's typed JSON, with their index entries.

        Each has one of `ids` in place of `model`, which must be as long.
        """
        row = (_key(item, "pk"), _key(item, "sk"), compact(item))
        length = size_of(item)
        self.insert((*_with_id(row, model, each), length) for each in ids)
        for index, keys in INDEX_KEYS.items():
            if all(key in item for key in keys):
                entry = _entry(item, *keys)
                self.insert_entries(index, (_with_id(entry, model, each) for each in ids))


@contextmanager
def written_file(file: Path, table: str) -> Iterator[DynoxideFile]:
    """Yield a table for writing, and commit what was written. Raises RuntimeError for another format of the file."""
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        [schema] = database.execute("SELECT value FROM _config WHERE key = 'schema_version'").fetchone()
        if schema != _SCHEMA:
            raise RuntimeError(f"dynoxide's file has schema version {schema}; this module supports {_SCHEMA}")
        for pragma in (
            "journal_mode = OFF",
            "synchronous = OFF",
            "cache_size = -1000000",
            "locking_mode = EXCLUSIVE",
        ):
            database.execute(f"PRAGMA {pragma}").fetchall()
        later = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in later:
            database.execute(f'DROP INDEX "{name}"')
        database.execute("BEGIN")
        yield DynoxideFile(database, table)
        for _, sql in later:
            database.execute(sql)
        database.execute("COMMIT")
        database.execute("PRAGMA locking_mode = NORMAL").fetchall()
        database.execute("PRAGMA journal_mode = WAL").fetchall()


def compact(item: Any) -> str:
    """Return JSON as the engine stores it."""
    return json.dumps(item, separators=(",", ":"))


def _with_id(texts: tuple[str, ...], model: str, item_id: str) -> tuple[Any, ...]:
    return tuple(text.replace(model, item_id) for text in texts)


def _entry(item: Mapping[str, Any], partition: str, sort: str) -> Entry:
    attributes = {name: item[name] for name in ("pk", "sk", partition, sort)}
    pk, sk = _key(item, "pk"), _key(item, "sk")
    return _key(item, partition), _key(item, sort), pk, sk, compact(attributes)


def _key(item: Mapping[str, Any], name: str) -> str:
    return "S:" + str(item[name]["S"])
