"""Botocore clients that all tests of a process share, and sessions that are cheap to create."""

import functools
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import useragent
from botocore.hooks import EventAliaser

from infra.local.aws import local_client


@functools.cache
def shared_client(service: str, endpoint_url: str) -> Any:
    """Return the client of a service at `endpoint_url` that all tests share; do not register event handlers on it."""
    return local_client(service, endpoint_url)


@pytest.fixture(scope="session", autouse=True)
def cached_botocore_sessions() -> Iterator[None]:
    """Cache two values that botocore recomputes for every session or request, although they never change.

    Creating a session computes the aliases of 120 event names from a constant table. This takes half of the session's
    creation time, and tests create a session for almost every client. Each request computes the parts of its user agent
    twice, which takes a tenth of its time.
    """
    aliases: dict[str, str] = {}
    create = EventAliaser.__init__

    def create_sharing(aliaser: Any, *given: Any, **named: Any) -> None:
        create(aliaser, *given, **named)
        aliaser._alias_name_cache = aliases

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EventAliaser, "__init__", create_sharing)
        name = "sanitize_user_agent_string_component"
        patch.setattr(useragent, name, functools.cache(getattr(useragent, name)))
        yield
