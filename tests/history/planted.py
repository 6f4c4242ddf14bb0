"""Bugs to plant one at a time, each a small and plausible change of the product's source.

They show that the checks find what they claim to find. Each bug is a list of replacements in the source of functions.
The function's code object is replaced, so every module that imported the function runs the bug.
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
from chalicelib.service.links import change as changing, generate as generating, replace as replacing
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
    """A bug: its edits, and the calls besides redeem that can trigger it (None: any)."""

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
    "redeem without the link's condition": (
        Edit(
            redeem.Redeems._use_link,
            "EXISTS & IS_ACTIVE & is_unexpired(now) & same_edition(link.edition) & is_open(now)",
            "EXISTS & is_open(now)",
        ),
    ),
    "redeem without the usage condition": (
        Edit(redeem.Redeems._use_link, "condition &= has_use_left(most, is_last=is_last_use)", "pass"),
    ),
    "redeem that ignores its receipt": (
        Edit(redeeming._redeem, _RECEIPT_LOOKED_AT, "\n        try:\n"),
        Edit(redeeming._receipt_after_all, "if receipt is None and again == link:", "if True:"),
    ),
    "redeem without the receipt's condition": (
        Edit(
            redeem.Redeems.commit,
            'absent_or_over(attempt.now), name="receipt"',
            'ABSENT | EXISTS, name="receipt"',
        ),
    ),
    "redeem that takes no cells": (
        Edit(
            redeem.Redeems.commit,
            "self._days.take(transaction, attempt.booking.host_id, attempt.booking.occupied, cause)",
            "pass",
        ),
    ),
    "cells taken without a condition": (Edit(days.Days.take, "_none_busy(cells)", "None"),),
    "cancel that does not free the cells": (
        Edit(
            bookings.Bookings.cancel,
            "self._days.free(transaction, booking.host_id, booking.occupied, cause)",
            "pass",
        ),
    ),
    "cells freed before the cancel commits": (Edit(bookings.Bookings.cancel, _FREE_LATER, _FREE_FIRST),),
    "expiry compared with <= instead of <": (
        Edit(conditions.is_unexpired, "expires_at > to_millis(now)", "expires_at >= to_millis(now)"),
        Edit(domain_links.Link.status_at, "expires <= now", "expires < now"),
    ),
    "notBefore ignored": (
        Edit(redeem.Redeems._use_link, " & is_open(now)", ""),
        Edit(domain_links.Link.refusal_at, "now < not_before", "False"),
    ),
    "cancellation reasons mapped to the wrong items": (
        Edit(transactions.Transaction.names, "*self._updates", "*reversed(self._updates)"),
    ),
    "revoke without a condition": (Edit(links.Links.revoke, "is_revocable(now), ", "None, "),),
    "successor written outside the redeem's transaction": (
        Edit(redeem.Redeems.commit, _SUCCEED_WITHIN, _SUCCEED_AFTER),
    ),
    "rolling link renewed without the pointer's condition": (
        Edit(
            rolling_links.RollingLinks.renew,
            'ABSENT if seen is None else Path("linkId") == seen',
            'ABSENT | Path("pk").exists()',
        ),
    ),
    "use restored against the link's settings": (
        Edit(cancelling._may_restore, "not link.settings.restore_use_on_cancel or ", ""),
    ),
    "use restored to a link that has changed": (
        Edit(
            bookings.Bookings.cancel,
            "unchanged_since(restored.sequence - 1)",
            'Path("pk").exists()',
        ),
    ),
    "move counted as a use": (
        Edit(
            bookings.Bookings.move,
            "self._rewrite(transaction, moved, cause)",
            "self._rewrite(transaction, moved, cause); transaction.update(('LINK#' + moved.link_id, 'LINK'), "
            '[Path("usageCount").add(1)], name="link")',
        ),
    ),
    "replaced link restored by a cancel": (
        Edit(links.Links.revoke_within, "elif link.is_restorable(now):", "elif False:"),
    ),
    "revoked link restored by a cancel": (
        Edit(
            cancelling._restored,
            "(LinkStatus.ACTIVE, LinkStatus.USED)",
            "(LinkStatus.ACTIVE, LinkStatus.USED, LinkStatus.REVOKED)",
        ),
    ),
    "use restored during a revoke": (
        Edit(
            bookings.Bookings.cancel,
            "unchanged_since(restored.sequence - 1)",
            'Path("usageCount") == restored.usage_count + 1',
        ),
    ),
    "restored uses not limited": (
        Edit(
            cancelling.cancel_booking,
            "restored.restored_uses > world.limits.restores_per_link",
            "restored.restored_uses > 1000",
        ),
    ),
    "invitee's moves not counted": (
        Edit(moving._moved, "movable.booking.moves_by_invitee + by_invitee", "0"),
    ),
    "booking rewritten without a condition": (
        Edit(bookings.Bookings._rewrite, "unchanged_since(booking.sequence - 1)", 'Path("pk").exists()'),
    ),
    "keyless receipt kept after a cancel": (
        Edit(bookings.Bookings.cancel, "booking = self._without_receipt(transaction, booking)", "pass"),
    ),
    "keyless retry confirmed after a move": (
        Edit(
            bookings.Bookings._without_receipt,
            'transaction.delete(receipt_key(booking.link_id, booking.keyless_receipt_id), name="receipt")',
            "pass",
        ),
        Edit(
            redeeming._replay,
            "if keyless and not own and booking.keyless_receipt_id != identified.receipt_id:",
            "if False:",
        ),
    ),
    "keyless retry that returns the whole booking": (
        Edit(redeeming._replay, "only_confirmed=keyless and not own", "only_confirmed=False"),
    ),
    "keyless retry matched by start and email alone": (
        Edit(receipt.keyless_receipt_id, "_plain(body.invitee.name)", '""'),
    ),
    "keyless retry accepted after ten minutes": (
        Edit(
            redeeming._redeem,
            "receipt is not None and _is_in_force(receipt, identified, world.now())",
            "receipt is not None",
        ),
    ),
    "clock read before the last store read": (
        Edit(
            redeeming._plan,
            "link.require_bookable(world.now())",
            "now = world.now(); link.require_bookable(now)",
        ),
        Edit(redeeming._plan, "    now = world.now()\n    link.require_bookable(now)\n", ""),
    ),
    "retry that reuses the first attempt's clock": (
        Edit(
            redeeming._redeem,
            "seen: list[Link] = []",
            "seen: list[Link] = []\n    import dataclasses\n    begun = world.now()\n"
            "    world = dataclasses.replace(world, now=lambda: begun)",
        ),
    ),
    "generate retry that recreates a used link": (
        Edit(generating._make_chunk, "number not in batch.chunks_done and ", ""),
        Edit(
            batches.Batches.create_chunk,
            "self._links.item_of(link, cause), ABSENT",
            "self._links.item_of(link, cause), None",
        ),
        Edit(chunks.mark_chunk_within, "same_batch & not_made_yet", "None"),
    ),
    "idempotency key accepted with another body": (
        Edit(generating._open, "if kept.body_hash != request.body_hash:", "if False:"),
    ),
    "generate that ignores its idempotency key": (
        Edit(generating.generate, "key = request.idempotency_key", "key = None"),
    ),
    "link expired early": (
        Edit(due.Due.links, " if p.expires <= millis", ""),
        Edit(links.Links.expire, "IS_ACTIVE & is_over", "IS_ACTIVE"),
    ),
    "expiry that overwrites another final status": (
        Edit(links.Links.expire, "IS_ACTIVE & is_over", "is_over"),
    ),
    "change that overwrites a concurrent change": (
        Edit(links.Links.change, "unchanged_since(seen)", 'Path("pk").exists()'),
    ),
    "replacement with outdated settings": (
        Edit(links.Links.revoke_within, "is_alive(now) & same_edition(link.edition)", "is_alive(now)"),
    ),
    "identical concurrent moves refused": (
        Edit(moving.move_booking, "if find().sequence != booking.sequence:", "if False:"),
    ),
    "limit set below the uses so far": (Edit(changing._changed, "most >= link.usage_count", "most >= 0"),),
    "booking id for each attempt": (
        Edit(
            redeeming._plan,
            "booking_id=identified.booking_id",
            "booking_id=make_id(BOOKING, world.random_bytes(ID_BYTES))",
        ),
    ),
    "refusal without a look for the own booking": (
        Edit(redeeming._redeem, "(own := _own_booking(world, identified)) is not None", "False"),
    ),
    "booking of an equal request instead of the own": (
        Edit(
            redeeming._replay,
            "not own and (mine := _own_booking(world, identified)) is not None",
            "False",
        ),
    ),
    "refusal without a second look for the receipt": (
        Edit(
            redeeming._redeem,
            "receipt = _receipt_after_all(world, link, identified, refusal)",
            "raise",
        ),
    ),
    "replacement created again after its deletion": (
        Edit(replacing.made_before, "world.store.history.page(link_id, None, 1)", "False"),
    ),
    "deleted old link hides its replacement": (
        Edit(
            replacing.replace_link,
            "outcomes.is_uncertain and (made := made_before(world, fresh_id))",
            "False",
        ),
    ),
}


_VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "redeem without the usage condition": ("redeem another slot",),
    "redeem without the receipt's condition": ("redeem another slot",),
    "cells freed before the cancel commits": ("cancel",),
    "successor written outside the redeem's transaction": ("read rolling link", "redeem another slot"),
    "rolling link renewed without the pointer's condition": ("renew rolling link", "read rolling link"),
    "use restored to a link that has changed": ("redeem another slot", "cancel"),
    "restored uses not limited": ("cancel",),
    "invitee's moves not counted": ("move",),
    "replaced link restored by a cancel": ("replace", "cancel"),
    "revoked link restored by a cancel": ("revoke", "cancel"),
    "use restored during a revoke": ("revoke", "cancel"),
    "keyless receipt kept after a cancel": ("cancel",),
    "keyless retry confirmed after a move": ("move",),
    "keyless retry that returns the whole booking": (),
    "keyless retry matched by start and email alone": (),
    "keyless retry accepted after ten minutes": (),
    "clock read before the last store read": (),
    "revoke without a condition": ("revoke",),
    "generate retry that recreates a used link": ("generate",),
    "idempotency key accepted with another body": ("generate",),
    "generate that ignores its idempotency key": ("generate",),
    "link expired early": ("expire", "read link"),
    "expiry that overwrites another final status": ("expire", "revoke"),
    "change that overwrites a concurrent change": ("change limit",),
    "replacement with outdated settings": ("change limit", "replace"),
    "identical concurrent moves refused": ("move",),
    "limit set below the uses so far": ("change limit", "redeem another slot"),
    "booking id for each attempt": ("move", "cancel"),
    "refusal without a look for the own booking": ("move", "cancel"),
    "booking of an equal request instead of the own": ("move", "cancel"),
    "refusal without a second look for the receipt": (),
    "replacement created again after its deletion": ("replace", "delete"),
    "deleted old link hides its replacement": ("replace", "delete"),
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
    """Plant a bug in this process; it stays until the process ends."""
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
        lines.insert(0, "if True:")  # a method's source is indented
    code = compile("\n".join(lines), f"<planted in {function.__qualname__}>", "exec")
    exec(code, dict(module.__dict__), found)  # noqa: S102 - our own source with a bug in it
    [made] = found.values()
    return made.__code__
