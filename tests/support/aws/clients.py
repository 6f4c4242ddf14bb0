"""Botocore clients that all tests of a process share, and sessions that are cheap to create."""

import functools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import useragent
from botocore.hooks import EventAliaser
from botocore.loaders import Loader

from infra.local.aws import local_client


@functools.cache
def shared_client(service: str, endpoint_url: str) -> Any:
    """Return the client of a service at `endpoint_url` that all tests share; do not register event handlers on it."""
    return local_client(service, endpoint_url)


@pytest.fixture(scope="session", autouse=True)
def cached_botocore_sessions() -> Iterator[None]:
    """Cache three values that botocore recomputes for every session or request, although they never change.

    A session reads the descriptions of all partitions and of its clients' services, which takes most of the time of
    creating a client, and tests create a session for almost every client. It also computes the aliases of 120 event
    names from a constant table. Each request computes the parts of its user agent twice, which takes a tenth of its
    time.
    """
    aliases: dict[str, str] = {}
    descriptions = defaultdict[tuple[str, ...], dict[Any, Any]](dict)
    create, load = EventAliaser.__init__, Loader.__init__

    def create_sharing(aliaser: Any, *given: Any, **named: Any) -> None:
        create(aliaser, *given, **named)
        aliaser._alias_name_cache = aliases

    def load_sharing(loader: Any, *given: Any, **named: Any) -> None:
        load(loader, *given, **named)
        loader._cache = descriptions[tuple(loader.search_paths)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EventAliaser, "__init__", create_sharing)
        patch.setattr(Loader, "__init__", load_sharing)
        name = "sanitize_user_agent_string_component"
        patch.setattr(useragent, name, functools.cache(getattr(useragent, name)))
        yield
