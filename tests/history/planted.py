"""Bugs to plant one at a time, each a small change of the source that someone might make.

A history checker that can't find them would not find others like them. Each bug is a list of replacements in the source
of functions. A function's code is exchanged in place, so every module that imported it runs the bug too.
"""

import contextlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.domain.bookings import receipt
from chalicelib.domain.links import link as domain_links
from chalicelib.service.bookings import cancel as cancelling, move as moving, redeem as redeeming
from chalicelib.service.links import change as changing, generate as generating
from chalicelib.store import redeem, transactions
from chalicelib.store.bookings import bookings, days
from chalicelib.store.links import batches, chunks, conditions, due, links, rolling as rolling_links


@dataclass(frozen=True)
class Edit:
    """One replacement in the source of one function."""

    function: Any
    old: str
    new: str


@dataclass(frozen=True)
class Bug:
    """A bug: its edits, and the calls that can reach it besides redeem (None: any)."""

    edits: tuple[Edit, ...]
    verbs: tuple[str, ...] | None = None


_FREE_LATER: Final = """
        self._days.free(transaction, booking.host_id, booking.occupied, cause)
        return transaction.committed()
"""
_FREE_FIRST: Final = """
        before = Transaction(self._table)
        self._days.free(before, booking.host_id, booking.occupied, cause)
        before.commit()
        return transaction.committed()
"""
_SUCCEED_WITHIN: Final = """
        if attempt.successor is not None:
            self._rolling.succeed_within(transaction, attempt.link, attempt.successor, cause)
        try:
            transaction.commit()
        except TransactionRefused as refused:
            return self._outcome_of(refused, attempt)
        return Booked()
"""
_SUCCEED_AFTER: Final = """
        try:
            transaction.commit()
        except TransactionRefused as refused:
            return self._outcome_of(refused, attempt)
        if attempt.successor is not None:
            after = Transaction(self._table)
            self._rolling.succeed_within(after, attempt.link, attempt.successor, cause)
            after.committed()
        return Booked()
"""
_RECEIPT_LOOKED_AT: Final = """
        if receipt is not None and _is_in_force(receipt, identified, world.now()):
            return _replay(world, receipt, identified)
        try:
"""

_EDITS: Final[Mapping[str, tuple[Edit, ...]]] = {
    "the link's condition dropped": (
        Edit(
            redeem.Redeems._use_link,
            "EXISTS & IS_ACTIVE & is_unexpired(now) & same_edition(link.edition) & is_open(now)",
            "EXISTS & is_open(now)",
        ),
    ),
    "the usage condition dropped": (
        Edit(redeem.Redeems._use_link, "condition &= has_use_left(most, is_last=is_last_use)", "pass"),
    ),
    "the replay by receipt dropped": (
        Edit(redeeming._redeem, _RECEIPT_LOOKED_AT, "\n        try:\n"),
        Edit(redeeming._receipt_after_all, "if receipt is None and again == link:", "if True:"),
    ),
    "the receipt's condition dropped": (
        Edit(
            redeem.Redeems.commit,
            'absent_or_over(attempt.now), name="receipt"',
            'ABSENT | EXISTS, name="receipt"',
        ),
    ),
    "the cells not taken": (
        Edit(
            redeem.Redeems.commit,
            "self._days.take(transaction, attempt.booking.host_id, attempt.booking.occupied, cause)",
            "pass",
        ),
    ),
    "the cells taken without a condition": (Edit(days.Days.take, "_none_busy(cells)", "None"),),
    "the cells not freed by a cancel": (
        Edit(
            bookings.Bookings.cancel,
            "self._days.free(transaction, booking.host_id, booking.occupied, cause)",
            "pass",
        ),
    ),
    "the cells freed before the cancel is committed": (
        Edit(bookings.Bookings.cancel, _FREE_LATER, _FREE_FIRST),
    ),
    "the expiry compared with <=": (
        Edit(conditions.is_unexpired, "expires_at > to_millis(now)", "expires_at >= to_millis(now)"),
        Edit(domain_links.Link.status_at, "expires <= now", "expires < now"),
    ),
    "the opening dropped": (
        Edit(redeem.Redeems._use_link, " & is_open(now)", ""),
        Edit(domain_links.Link.refusal_at, "now < not_before", "False"),
    ),
    "the refusals of a redeem under each other's names": (
        Edit(transactions.Transaction.names, "*self._updates", "*reversed(self._updates)"),
    ),
    "the revoke without a condition": (Edit(links.Links.revoke, "is_revocable(now), ", "None, "),),
    "the successor made outside the transaction": (
        Edit(redeem.Redeems.commit, _SUCCEED_WITHIN, _SUCCEED_AFTER),
    ),
    "the successor made whatever the pointer says": (
        Edit(
            rolling_links.RollingLinks.renew,
            'ABSENT if seen is None else Path("linkId") == seen',
            'ABSENT | Path("pk").exists()',
        ),
    ),
    "the use given back whatever the link says": (
        Edit(cancelling._may_restore, "not link.settings.restore_use_on_cancel or ", ""),
    ),
    "the use given back to a link that changed": (
        Edit(
            bookings.Bookings.cancel,
            "unchanged_since(restored.sequence - 1)",
            'Path("pk").exists()',
        ),
    ),
    "a move counted as a use": (
        Edit(
            bookings.Bookings.move,
            "self._rewrite(transaction, moved, cause)",
            "self._rewrite(transaction, moved, cause); transaction.update(('LINK#' + moved.link_id, 'LINK'), "
            '[Path("usageCount").add(1)], name="link")',
        ),
    ),
    "a replaced link that comes back": (
        Edit(links.Links.revoke_within, "elif link.may_come_back(now):", "elif False:"),
    ),
    "a revoked link that comes back": (
        Edit(
            cancelling._restored,
            "(LinkStatus.ACTIVE, LinkStatus.USED)",
            "(LinkStatus.ACTIVE, LinkStatus.USED, LinkStatus.REVOKED)",
        ),
    ),
    "a use given back while the link is ended": (
        Edit(
            bookings.Bookings.cancel,
            "unchanged_since(restored.sequence - 1)",
            'Path("usageCount") == restored.usage_count + 1',
        ),
    ),
    "uses given back without end": (
        Edit(
            cancelling.cancel_booking,
            "restored.restored_uses > world.limits.restores_per_link",
            "restored.restored_uses > 1000",
        ),
    ),
    "a move by the invitee that is not counted": (
        Edit(moving._moved, "movable.booking.moves_by_invitee + by_invitee", "0"),
    ),
    "a booking rewritten without a condition": (
        Edit(bookings.Bookings._rewrite, "unchanged_since(booking.sequence - 1)", 'Path("pk").exists()'),
    ),
    "the keyless receipt kept after a cancel": (
        Edit(bookings.Bookings.cancel, "booking = self._without_receipt(transaction, booking)", "pass"),
    ),
    "a keyless repeat that is told of a booking after its move": (
        Edit(
            bookings.Bookings._without_receipt,
            'transaction.delete(receipt_key(booking.link_id, booking.keyless_receipt_id), name="receipt")',
            "pass",
        ),
        Edit(
            redeeming._replay,
            "if keyless and booking.keyless_receipt_id != identified.receipt_id:",
            "if False:",
        ),
    ),
    "a keyless repeat that is told which booking it is": (
        Edit(redeeming._replay, "only_confirmed=keyless and not own", "only_confirmed=False"),
    ),
    "a keyless repeat known by its start and address alone": (
        Edit(receipt.keyless_receipt_id, "_plain(body.invitee.name)", '""'),
    ),
    "a keyless repeat at any time": (
        Edit(
            redeeming._redeem,
            "receipt is not None and _is_in_force(receipt, identified, world.now())",
            "receipt is not None",
        ),
    ),
    "the clock read before the last read": (
        Edit(
            redeeming._plan,
            "link.require_bookable(world.now())",
            "now = world.now(); link.require_bookable(now)",
        ),
        Edit(redeeming._plan, "    now = world.now()\n    link.require_bookable(now)\n", ""),
    ),
    "a retry without a fresh now": (
        Edit(
            redeeming._redeem,
            "seen: list[Link] = []",
            "seen: list[Link] = []\n    import dataclasses\n    begun = world.now()\n"
            "    world = dataclasses.replace(world, now=lambda: begun)",
        ),
    ),
    "a generate that makes a used link anew": (
        Edit(generating._make_chunk, "number not in batch.chunks_done and ", ""),
        Edit(
            batches.Batches.create_chunk,
            "self._links.item_of(link, cause), ABSENT",
            "self._links.item_of(link, cause), None",
        ),
        Edit(chunks.mark_chunk_within, "same_batch & not_made_yet", "None"),
    ),
    "a key that serves another body too": (
        Edit(generating._open, "if kept.body_hash != request.body_hash:", "if False:"),
    ),
    "a generate that forgets its key": (
        Edit(generating.generate, "key = request.idempotency_key", "key = None"),
    ),
    "expired before its time": (
        Edit(due.Due.links, " if p.expires <= millis", ""),
        Edit(links.Links.expire, "IS_ACTIVE & is_over", "IS_ACTIVE"),
    ),
    "expired whatever became of it meanwhile": (Edit(links.Links.expire, "IS_ACTIVE & is_over", "is_over"),),
    "a change that overwrites what came between": (
        Edit(links.Links.change, "unchanged_since(seen)", 'Path("pk").exists()'),
    ),
    "a replacement with settings changed since": (
        Edit(links.Links.revoke_within, "is_alive(now) & same_edition(link.edition)", "is_alive(now)"),
    ),
    "a move sent twice that meets itself": (
        Edit(moving.move_booking, "if find().sequence != booking.sequence:", "if False:"),
    ),
    "a change allowed below the uses made": (
        Edit(changing._changed, "most >= link.usage_count", "most >= 0"),
    ),
}


_VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "the usage condition dropped": ("redeem elsewhere",),
    "the receipt's condition dropped": ("redeem elsewhere",),
    "the cells freed before the cancel is committed": ("cancel",),
    "the successor made outside the transaction": ("which", "redeem elsewhere"),
    "the successor made whatever the pointer says": ("renew", "which"),
    "the use given back to a link that changed": ("redeem elsewhere", "cancel"),
    "uses given back without end": ("cancel",),
    "a move by the invitee that is not counted": ("move",),
    "a replaced link that comes back": ("replace", "cancel"),
    "a revoked link that comes back": ("revoke", "cancel"),
    "a use given back while the link is ended": ("revoke", "cancel"),
    "the keyless receipt kept after a cancel": ("cancel",),
    "a keyless repeat that is told of a booking after its move": ("move",),
    "a keyless repeat that is told which booking it is": (),
    "a keyless repeat known by its start and address alone": (),
    "a keyless repeat at any time": (),
    "the clock read before the last read": (),
    "the revoke without a condition": ("revoke",),
    "a generate that makes a used link anew": ("make",),
    "a key that serves another body too": ("make",),
    "a generate that forgets its key": ("make",),
    "expired before its time": ("expire", "read link"),
    "expired whatever became of it meanwhile": ("expire", "revoke"),
    "a change that overwrites what came between": ("limit",),
    "a replacement with settings changed since": ("limit", "replace"),
    "a move sent twice that meets itself": ("move",),
    "a change allowed below the uses made": ("limit", "redeem elsewhere"),
}

BUGS: Final[Mapping[str, Bug]] = {name: Bug(edits, _VERBS.get(name)) for name, edits in _EDITS.items()}


@contextlib.contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """Plant a bug while the context is active."""
    before = [(edit.function, edit.function.__code__) for edit in bug.edits]
    try:
        plant(bug)
        yield
    finally:
        for function, code in reversed(before):
            function.__code__ = code


def plant(bug: Bug) -> None:
    """Plant a bug for good, in this process."""
    sources: dict[Any, str] = {}
    for edit in bug.edits:
        source = sources.get(edit.function) or inspect.getsource(edit.function)
        if edit.old not in source:
            raise LookupError(f"{edit.function.__qualname__} has changed: update its bug in planted.py")
        sources[edit.function] = source.replace(edit.old, edit.new)
    for function, source in sources.items():
        function.__code__ = _compiled(function, source)


def _compiled(function: Any, source: str) -> Any:
    found: dict[str, Any] = {}
    module = sys.modules[function.__module__]
    lines = [line for line in source.splitlines() if not line.lstrip().startswith("@")]
    if lines[0].startswith(" "):
        lines.insert(0, "if True:")  # a method stands as it is in its file, indented
    code = compile("\n".join(lines), f"<planted in {function.__qualname__}>", "exec")
    exec(code, dict(module.__dict__), found)  # noqa: S102 - our own source with a bug in it
    [made] = found.values()
    return made.__code__
