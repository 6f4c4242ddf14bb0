"""Count what each operation costs in DynamoDB: sequential calls, and capacity units with indexes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from infra.local.engines.dynoxide import Dynoxide
from tests.bench.report.sections import Section
from tests.bench.setup.site import Counted, Site, proxy_event, redeem_event, starts

# US East (N. Virginia), on demand, https://aws.amazon.com/dynamodb/pricing/on-demand/ (prices since November 2024).
DOLLARS_A_MILLION_WRITES: Final = 0.625
DOLLARS_A_MILLION_READS: Final = 0.125
LAMBDA_DOLLARS_A_MILLION: Final = 0.20
REST_DOLLARS_A_MILLION: Final = 3.50


@dataclass(frozen=True)
class Budget:
    """The most round trips and read units that are allowed; None means no limit."""

    trips: int | None = None
    read_units: float | None = None


def costs() -> Section:
    """Run each operation once on a new link; count its DynamoDB calls and capacity units."""
    section = Section(
        "What operations cost",
        "Each operation runs once through the whole handler and is counted in botocore. dynoxide computes capacity "
        "units for table and index writes as DynamoDB documents them; a write in a transaction counts twice. Calls "
        "include the record of an open or a refusal, which is written in parallel. Dollars are for DynamoDB only, per "
        "million operations.",
    )
    with Dynoxide() as engine:
        site = Site(engine)
        for name, prepare, budget in _OPERATIONS:
            event = prepare(site)
            with site.counting() as counted:
                status, answer = site(event)
            if not 200 <= status < 400:
                raise RuntimeError(f"{name}: {status} {answer}")
            _add(section, name, counted, budget)
    return section


def _add(section: Section, name: str, counted: Counted, budget: Budget) -> None:
    trips = [call for call in counted.calls if call != "UpdateItem" or "open" not in name.lower()]
    dollars = counted.write_units * DOLLARS_A_MILLION_WRITES + counted.read_units * DOLLARS_A_MILLION_READS
    limits, met = [], True
    if budget.trips is not None:
        limits.append(f"≤ {budget.trips} trips")
        met &= len(trips) <= budget.trips
    if budget.read_units is not None:
        limits.append(f"≤ {budget.read_units:g} RCU")
        met &= counted.read_units <= budget.read_units
    section.add(
        name,
        f"{len(counted.calls)} calls, {counted.read_units:g} RCU, {counted.write_units:g} WCU, ${dollars:.2f}",
        budget=", ".join(limits),
        met=met if limits else None,
        raw={
            "calls": counted.calls,
            "rcu": counted.read_units,
            "wcu": counted.write_units,
            "dollars": dollars,
        },
    )


def _generate(count: int, **more: Any) -> Callable[[Site], dict[str, Any]]:
    def prepare(site: Site) -> dict[str, Any]:
        body = {"eventTypeId": site.event_type(site.host()), "count": count} | more
        return proxy_event("POST", "/v1/links", body, admin=True)

    return prepare


def _opened(site: Site) -> dict[str, Any]:
    [token] = site.tokens(site.event_type(site.host()), 1)
    return proxy_event("GET", "/s/{token}", path={"token": token}, headers={"accept": "text/html"})


def _slots(site: Site) -> dict[str, Any]:
    [token] = site.tokens(site.event_type(site.host()), 1)
    return proxy_event("GET", "/s/{token}/slots", path={"token": token})


def _redeem(site: Site) -> dict[str, Any]:
    [token] = site.tokens(site.event_type(site.host()), 1)
    return redeem_event(token, starts(20, 30)[19])


def _redeem_midnight(site: Site) -> dict[str, Any]:
    [token] = site.tokens(site.event_type(site.host(), bufferBeforeMinutes=15), 1)
    return redeem_event(token, starts(1, 30)[0])


def _redeem_rolling(site: Site) -> dict[str, Any]:
    event_type = site.event_type(site.host())
    resource = "/v1/event-types/{eventTypeId}/rolling-link"
    link = site.team("POST", resource, eventTypeId=event_type)
    return redeem_event(link["url"].rpartition("/")[2], starts(20, 30)[19])


def _replay(site: Site) -> dict[str, Any]:
    event = _redeem(site)
    site(event)
    return event


def _booked(site: Site) -> str:
    _, booking = site(_redeem(site))
    return str(booking["url"].rpartition("/")[2])


def _cancel(site: Site) -> dict[str, Any]:
    return proxy_event("POST", "/b/{bookingToken}/cancel", {}, path={"bookingToken": _booked(site)})


def _move(days: int) -> Callable[[Site], dict[str, Any]]:
    def prepare(site: Site) -> dict[str, Any]:
        start = starts(26, 30)[25] + timedelta(days=days)
        body = {"start": start.isoformat().replace("+00:00", "Z")}
        return proxy_event("POST", "/b/{bookingToken}/reschedule", body, path={"bookingToken": _booked(site)})

    return prepare


def _team_on_link(action: str) -> Callable[[Site], dict[str, Any]]:
    def prepare(site: Site) -> dict[str, Any]:
        event_type = site.event_type(site.host())
        link = site.team("POST", "/v1/links", {"eventTypeId": event_type})["links"][0]
        path = {"linkId": link["linkId"]}
        return proxy_event("POST", "/v1/links/{linkId}/" + action, path=path, admin=True)

    return prepare


_OPERATIONS: Final[list[tuple[str, Callable[[Site], dict[str, Any]], Budget]]] = [
    ("create one link", _generate(1), Budget()),
    ("create one link that expires", _generate(1, expiresAt="2038-01-01T00:00:00Z"), Budget()),
    ("create 1,000 links", _generate(1000), Budget()),
    ("open the booking page, 30 days", _opened, Budget(3, 6)),
    ("open the slots, 30 days", _slots, Budget(3, 6)),
    ("redeem", _redeem, Budget(3)),
    ("redeem over midnight", _redeem_midnight, Budget(3)),
    ("redeem a rolling link", _redeem_rolling, Budget(3)),
    ("redeem again (replay)", _replay, Budget(3)),
    ("cancel", _cancel, Budget()),
    ("move within a day", _move(0), Budget()),
    ("move to another day", _move(1), Budget()),
    ("revoke", _team_on_link("revoke"), Budget()),
    ("replace", _team_on_link("replace"), Budget()),
]
