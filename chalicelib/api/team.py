"""What the team's routes share: one authorizer, the site's base URL, and how a page of a list is asked for."""

from typing import Final

from chalicelib import bootstrap
from chalicelib.api.auth import api_key
from chalicelib.api.call import Call, whole_number
from chalicelib.api.door import Door
from chalicelib.domain.errors import FieldFault, InvalidValueError
from chalicelib.domain.listings import DEFAULT_PAGE, LEAST_PAGE, MOST_PAGE

PAGING: Final = ("limit", "cursor")


def team_door(import_name: str) -> Door:
    """Return a door that only a valid API key opens."""
    return Door(import_name, authorizer=api_key)


def base_url(call: Call) -> str:
    """Return the site's root without a slash at its end: as set, else as API Gateway has it."""
    return bootstrap.settings().base_url or call.origin or ""


def page_limit(query: dict[str, str]) -> int:
    """Return `?limit=`, 50 where it is absent. Raises `InvalidRequestError`, `InvalidValueError`."""
    limit = whole_number(query["limit"], "limit") if "limit" in query else DEFAULT_PAGE
    if not LEAST_PAGE <= limit <= MOST_PAGE:
        raise InvalidValueError([FieldFault("/limit", f"must be {LEAST_PAGE} to {MOST_PAGE}")])
    return limit
