"""The page of a link that can't be used: the reason, and a form to ask for a new link."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec

from chalicelib.pages.invitee.zone_rules import all_zones
from chalicelib.pages.languages import Words
from chalicelib.pages.render import moment_html, render

DeadReason = Literal[
    "used", "expired", "revoked", "deleted", "not-open", "not-found", "unavailable", "too-many"
]

_DEAD_FOR_GOOD: Final = frozenset({"used", "expired", "revoked", "deleted"})


class AskForm(msgspec.Struct, frozen=True, kw_only=True):
    """The form that asks the host for a new link, or a confirmation if it was `sent`.

    The keys of `values` and `errors` are `name`, `email` and `message`.
    """

    action: str
    sent: bool = False
    values: Mapping[str, str] = msgspec.field(default_factory=dict)
    errors: Mapping[str, str] = msgspec.field(default_factory=dict)
    notice: str | None = None


class DeadPage(msgspec.Struct, frozen=True, kw_only=True):
    """A link that can't be used, and the reason.

    `opens_at` (UTC) is only set for `not-open` and shown in `zone`. `ask` is the form that asks for a new link; None if
    there is no host to ask.
    """

    root: str
    reason: DeadReason
    opens_at: datetime | None = None
    zone: str = "UTC"
    ask: AskForm | None = None


def dead_page(view: DeadPage, say: Words) -> str:
    """Return the page of a link that can't be used. It doesn't reveal anything about the host or the event."""
    key = f"pages.dead.{view.reason}"
    sentence: str
    zone_rules = ""
    if view.reason == "not-open" and view.opens_at is not None:
        sentence = say.html(f"{key}.opens", when=moment_html(view.opens_at, view.zone, say))
        next_step = say(f"{key}.then")
        zone_rules = all_zones(view.opens_at, view.opens_at)
    else:
        sentence, next_step = say(f"{key}.why"), say(f"{key}.next")
    return render(
        "message.html",
        root=view.root,
        say=say,
        problem=f"link-{view.reason}" if view.reason in _DEAD_FOR_GOOD else None,
        heading=say(key),
        sentence=sentence,
        next_step=next_step,
        ask=view.ask,
        zone_rules=zone_rules,
    )
