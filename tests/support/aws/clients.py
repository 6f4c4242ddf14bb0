"""Botocore clients that all tests of a process share, and sessions that are cheap to create."""

import functools
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.hooks import EventAliaser

from infra.local.aws import local_client


@functools.cache
def shared_client(service: str, endpoint_url: str) -> Any:
    """Return this process's one client of a service at `endpoint_url`; don't register event handlers on it."""
    return local_client(service, endpoint_url)


@pytest.fixture(scope="session", autouse=True)
def cheap_sessions() -> Iterator[None]:
    """Let all botocore sessions share one cache of event names, which takes half of the time that a session takes.

    Botocore has a constant table of aliases, so a name has the same alias in every session. Each session computes
    120 of them again, and tests create a session for almost every client.
    """
    aliases: dict[str, str] = {}
    create = EventAliaser.__init__

    def create_sharing(aliaser: Any, *given: Any, **named: Any) -> None:
        create(aliaser, *given, **named)
        aliaser._alias_name_cache = aliases

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EventAliaser, "__init__", create_sharing)
        yield
