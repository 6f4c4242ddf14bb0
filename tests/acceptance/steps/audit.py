"""Read every item of the run's hosts, and compare them with each other."""

from collections.abc import Iterator

from tests.acceptance.run import Run
from tests.support.audit import bookings_of, dump_of, faults_in, links_of


def audit(run: Run) -> Iterator[str]:
    """Check that no link gave too many bookings, no host is booked twice, and the bookings' cells are busy."""
    items = dump_of(run.target.client("dynamodb"), run.target.outputs["TableName"], partitions(run))
    faults = faults_in(items)
    assert not faults, "; ".join(faults[:5])
    assert bookings_of(items), "no booking was found"
    yield f"{len(items)} items: {len(links_of(items))} links, {len(bookings_of(items))} bookings; no fault"


def partitions(run: Run) -> list[str]:
    """Return the partition keys of everything that belongs to the run's hosts, as the API lists it."""
    return list(_partitions(run))


def _partitions(run: Run) -> Iterator[str]:
    for host in run.hosts:
        yield f"HOST#{host}"
        yield f"DIGEST#{host}"
        for archived in ("false", "true"):
            for each in run.pages(f"/v1/event-types?hostId={host}&archived={archived}", "eventTypes"):
                yield f"ETYPE#{each['eventTypeId']}"
        for each in run.pages(f"/v1/links?hostId={host}", "links"):
            yield f"LINK#{each['linkId']}"
        for each in run.pages(f"/v1/bookings?hostId={host}&{_ALL_TIME}", "bookings"):
            yield f"BOOKING#{each['bookingId']}"
        for each in run.team("GET", f"/v1/webhooks?hostId={host}")["webhooks"]:
            yield f"HOOK#{each['webhookId']}"
    yield from (f"HOOK#{each}" for each in run.webhooks)


_ALL_TIME = "from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"
