"""Requests generated from docs/openapi.json cause no 500 and no response that the description does not have."""

import os
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    missing_required_header,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from infra.local.engines.engine import Engine
from infra.paths import ROOT
from tests.support.app import Site, at, created, running_site, token_of
from tests.support.aws.engines import new_table
from tests.support.proof.size import size
from tests.support.waiting import LIMIT

# For each operation of the description; some thousands in all under `make proof`.
EXAMPLES: Final = int(os.environ.get("HOSTILE_EXAMPLES") or size(15, 100))
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    missing_required_header,
]

schemathesis.serializer.alias(["application/csv", "application/vnd.ms-excel"], "text/plain")  # a CSV is text

schema = schemathesis.openapi.from_path(ROOT / "docs" / "openapi.json")
# Each value at and past each limit of each field: about 80 more requests per operation, which take minutes.
schema.config.phases.coverage.enabled = size(False, True)


@dataclass
class Target:
    """A site with an item of every kind, so that generated requests get more than 404."""

    site: Site
    known: dict[str, list[str]]


@pytest.fixture(scope="module")
def target(table_engine: Engine) -> Iterator[Target]:
    with running_site(new_table(table_engine.endpoint_url, stream=False)) as site:
        host = site.host()
        kept, other = host.event_type(bookingWindowDays=30), host.event_type()
        links = host.links(kept, count=30, maxUsageCount=None)
        links += [host.link(kept, expiresAt=at(days=-1 / 24 + 1)) for _ in range(5)]
        bookings = [
            created(site.redeem(link, at(days=1 + number, hours=2))) for number, link in enumerate(links[:12])
        ]
        yield Target(
            site,
            {
                "hostId": [host.host_id or ""],
                "eventTypeId": [kept["eventTypeId"]],
                "spareEventTypeId": [other["eventTypeId"]],
                "linkId": [link["linkId"] for link in links],
                "token": [token_of(link) for link in links],
                "bookingId": [booking["bookingId"] for booking in bookings],
                "bookingToken": [booking["url"].rpartition("/")[2] for booking in bookings],
            },
        )


@pytest.mark.timeout(3600)  # under `make proof`
@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
def test_every_operation_conforms_to_its_description(case: Case[Any], target: Target) -> None:
    """P9: whatever the request, the response is documented, and never a 500."""
    broken = _broken(case)
    _aim(case, target, broken)
    headers = {"Authorization": f"Bearer {target.site.admin.key.secret}"}
    response = case.call(base_url=str(target.site.client.base_url), headers=headers, timeout=LIMIT)
    if response.status_code == HTTPStatus.LENGTH_REQUIRED:
        return  # chunked, which the local server does not read, and API Gateway does
    case.validate_response(response, checks=CHECKS)
    if broken & {"body", "query"}:
        taken = (
            f"what goes against the description was taken: {case.method} {response.request.url} {case.body!r}"
        )
        assert response.status_code >= 400, taken
    # No schema describes a file's rows or which fields of a replay fit together. To JSON Schema, 225.0 is an integer.
    no_file = case.media_type in {None, "application/json"}
    elsewhere = not no_file or case.path.endswith("/replay") or "got `float`" in response.text
    if not broken and not elsewhere:
        sent = f"{case.method} {response.request.url} {case.body!r}"
        assert response.status_code != 400, (
            f"a valid request was rejected as malformed: {sent}: {response.text}"
        )
    assert target.site.admin.key.secret not in response.text


def _broken(case: Case[Any]) -> set[str]:
    """Return the parts of a request that deliberately violate the description: `path`, `query`, `body`."""
    assert case.meta is not None
    parts = case.meta.components.items()
    return {place.value for place, part in parts if part.mode is GenerationMode.NEGATIVE}


def _aim(case: Case[Any], target: Target, broken: set[str]) -> None:
    """Let three of four requests use existing ids; leave deliberately broken parts unchanged."""
    draw = random.Random(zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode()))
    archives = case.method.upper() == "DELETE" and case.path.endswith("/event-types/{eventTypeId}")
    for part, place in (("path", case.path_parameters), ("query", case.query), ("body", case.body)):
        if not isinstance(place, dict) or (part in broken and part != "path"):
            continue
        for name in place:
            pool = target.known.get("spareEventTypeId" if archives and name == "eventTypeId" else name)
            if pool and draw.random() < 0.75:
                place[name] = draw.choice(pool)
