"""The page of a request that failed for another reason than the link's state."""

from collections.abc import Mapping
from typing import Final

import msgspec

from chalicelib.pages.languages import Words
from chalicelib.pages.render import render

_PROBLEMS: Final[Mapping[int, str]] = {
    400: "unread",
    403: "impossible",
    404: "nothing",
    405: "impossible",
    413: "too-much",
    415: "not-form",
    429: "too-many",
    503: "unavailable",
}


class ProblemPage(msgspec.Struct, frozen=True, kw_only=True):
    """A request that failed for another reason than the link's state. `status` is the HTTP status."""

    root: str
    status: int


def problem_page(view: ProblemPage, say: Words) -> str:
    """Return the page of a failed request."""
    key = f"pages.problem.{_PROBLEMS.get(view.status, 'other')}"
    return render(
        "message.html",
        root=view.root,
        say=say,
        problem=None,
        heading=say(key),
        sentence="",
        next_step=say(f"{key}.next"),
        ask=None,
        zone_rules="",
    )
