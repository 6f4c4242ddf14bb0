"""The team's router, whose routes need an API key, and the query parameters that lists share."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from chalicelib.api.http.authorizer import api_key
from chalicelib.api.http.call import whole_number
from chalicelib.api.http.routing import Router
from chalicelib.domain.errors import FieldFault, InvalidRequestError, InvalidValueError
from chalicelib.domain.listings import DEFAULT_PAGE, MAX_PAGE, MIN_PAGE

PAGING: Final = ("limit", "cursor")

_E = TypeVar("_E", bound=StrEnum)


def team_router(import_name: str) -> Router:
    """Return a router whose routes need a valid API key."""
    return Router(import_name, authorizer=api_key)


def page_limit(query: dict[str, str]) -> int:
    """Return `?limit=`, by default 50. Raises `InvalidRequestError`, `InvalidValueError`."""
    limit = whole_number(query["limit"], "limit") if "limit" in query else DEFAULT_PAGE
    if not MIN_PAGE <= limit <= MAX_PAGE:
        raise InvalidValueError([FieldFault("/limit", f"must be {MIN_PAGE} to {MAX_PAGE}")])
    return limit


def is_true(query: Mapping[str, str], name: str) -> bool:
    """Return whether a query parameter is `true`; absent is `false`. Raises `InvalidRequestError` for another value."""
    given = query.get(name, "false")
    if given not in ("true", "false"):
        raise InvalidRequestError([FieldFault(f"/{name}", "must be true or false")])
    return given == "true"


def one_of(query: Mapping[str, str], name: str, kind: type[_E]) -> _E | None:
    """Return a query parameter as a member of an enum, or None if it is absent. Raises `InvalidRequestError`."""
    if name not in query:
        return None
    try:
        return kind(query[name])
    except ValueError:
        raise InvalidRequestError([FieldFault(f"/{name}", f"must be one of {', '.join(kind)}")]) from None
