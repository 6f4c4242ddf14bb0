"""Data of every kind that the HTTP API and the expiry schedule write, and what must work with each.

The steps use only the HTTP API and the expiry schedule, so they run on every release.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.support.proof.harness import Answer, Client, Link, rfc3339, starts

RECIPIENT: Final = "ada@invitees.example"


@dataclass
class Data:
    """What one version has written: ids, links and bookings by what they are."""

    number: int
    host_id: str = ""
    event_type_id: str = ""
    archived_id: str = ""
    webhook_id: str = ""
    request_id: str = ""
    batch: tuple[str, ...] = ()
    links: dict[str, Link] = field(default_factory=dict)
    bookings: dict[str, dict[str, Any]] = field(default_factory=dict)
    free: Iterator[datetime] = field(default_factory=lambda: iter(()))

    @property
    def label(self) -> str:
        return f"data-{self.number}"


@dataclass
class Version:
    """One version of the code: its URL, a client with an admin key and one without.

    `expire` runs its expiry schedule until the link that expires after `expires_in` is marked.
    """

    url: str
    api_key: str
    expire: Callable[[str], None]
    expires_in: timedelta = timedelta(hours=12)
    hook: str = "https://hooks.example/admit-one"

    def __post_init__(self) -> None:
        self.team = Client([self.url], api_key=self.api_key)
        self.invitee = Client([self.url])

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, status: int = 200
    ) -> Any:
        """Send a request with an admin key, require the expected status, and return the response's document."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.team.send(method, path, body, headers)
        assert answer.status == status, (method, path, answer)
        return answer.json if answer.body else None

    def own(self, booking: dict[str, Any], action: str, body: Any = None) -> Answer:
        """Act on a booking as its invitee."""
        return self.invitee.send("POST", f"/b/{booking['url'].rpartition('/')[2]}/{action}", body or {})

    def book(
        self, link: Link, start: datetime, email: str = RECIPIENT, *, key: str | None = None
    ) -> dict[str, Any]:
        answer = self.invitee.redeem(link, start, email, key=key)
        assert answer.code == "201", answer
        document: dict[str, Any] = answer.json
        return document


def write(version: Version, number: int) -> Data:
    """Write data of every kind with one version of the code."""
    data = Data(number, free=iter(starts(250)))
    hours = {"timeZone": "UTC", "weekly": [{"days": _DAYS, "from": "00:00", "to": "24:00"}]}
    host = {"name": "Ada Lovelace", "email": "ada@hosts.example", "timeZone": "UTC", "publicName": "Ada"}
    data.host_id = version.call("POST", "/v1/hosts", host, status=201)["hostId"]
    event_type = {"hostId": data.host_id, "title": "Talk", "durationMinutes": 5, "schedule": hours}
    data.event_type_id = version.call("POST", "/v1/event-types", event_type, status=201)["eventTypeId"]
    data.archived_id = version.call("POST", "/v1/event-types", event_type, status=201)["eventTypeId"]
    version.call("DELETE", f"/v1/event-types/{data.archived_id}", status=204)
    hook = {"hostId": data.host_id, "url": version.hook, "events": ["link.used"]}
    data.webhook_id = version.call("POST", "/v1/webhooks", hook, status=201)["webhookId"]
    version.call("POST", f"/v1/webhooks/{data.webhook_id}/rotate", {})
    far_off = {"start": "2039-01-01T00:00:00Z", "end": "2039-01-02T00:00:00Z"}
    version.call("PATCH", f"/v1/hosts/{data.host_id}", {"timeOff": [far_off]})
    _write_links(version, data)
    _write_bookings(version, data)
    version.expire(data.links["expired"].link_id)
    return data


def _write_links(version: Version, data: Data) -> None:
    now = datetime.now(UTC)

    def link(name: str, **settings: Any) -> Link:
        [made] = _generate(version, data, label=data.label, **settings)
        data.links[name] = made
        return made

    link("active", metadata={"deal": "4711"}, externalId=f"deal-{data.number}", overrides={"title": "Lab"})
    link("used")
    link("three uses", maxUsageCount=3, restoreUseOnCancel=True)
    link("unlimited", maxUsageCount=None)
    link("recipient", recipient={"name": "Ada", "email": RECIPIENT, "enforce": "email"})
    link("early", notBefore=rfc3339(now + timedelta(days=30)))
    link("expired", expiresAt=rfc3339(now + version.expires_in))
    revoked = link("revoked")
    version.call("POST", f"/v1/links/{revoked.link_id}/revoke")
    replaced = link("replaced")
    data.links["replacement"] = Link.of(
        version.call("POST", f"/v1/links/{replaced.link_id}/replace", status=201)
    )
    deleted = link("deleted")
    version.call("DELETE", f"/v1/links/{deleted.link_id}", status=204)
    rolling = version.call("POST", f"/v1/event-types/{data.event_type_id}/rolling-link", {}, status=201)
    data.links["rolling"] = Link.of(rolling)
    data.batch = tuple(each.link_id for each in _generate(version, data, count=3, key=f"batch-{data.number}"))
    asked = version.invitee.send(
        "POST", f"/s/{revoked.token}/request", {"name": "Grace", "email": "grace@invitees.example"}
    )
    assert asked.status == 202, asked
    [request] = version.call("GET", f"/v1/link-requests?hostId={data.host_id}")["requests"]
    data.request_id = request["requestId"]


def _generate(version: Version, data: Data, *, key: str | None = None, **settings: Any) -> list[Link]:
    body = {"eventTypeId": data.event_type_id, **settings}
    return [Link.of(each) for each in version.call("POST", "/v1/links", body, key=key, status=201)["links"]]


def _write_bookings(version: Version, data: Data) -> None:
    links, bookings = data.links, data.bookings
    bookings["keyed"] = version.book(links["used"], next(data.free), key=f"once-{data.number}")
    bookings["cancelled"] = version.book(links["three uses"], next(data.free))
    assert version.own(bookings["cancelled"], "cancel").status == 200
    bookings["confirmed"] = version.book(links["three uses"], next(data.free))
    bookings["moved"] = version.book(links["unlimited"], next(data.free))
    moved = version.own(bookings["moved"], "reschedule", {"start": rfc3339(next(data.free))})
    assert moved.status == 200, moved
    bookings["erased"] = version.book(links["unlimited"], next(data.free))
    version.call("DELETE", f"/v1/bookings/{bookings['erased']['bookingId']}/personal-data")
    bookings["rolling"] = version.book(links["rolling"], next(data.free))


def use(version: Version, data: Data) -> None:
    """Do everything that must work with data that another version wrote."""
    for step in _STEPS:
        step(version, data)


def _dead_links_stay_dead(version: Version, data: Data) -> None:
    start = next(data.free)
    for name, code in _DEAD.items():
        answer = version.invitee.redeem(data.links[name], start, "eve@invitees.example")
        assert answer.code == code, (name, answer)


def _retries_return_the_same_booking(version: Version, data: Data) -> None:
    made = data.bookings["keyed"]
    start = datetime.fromisoformat(made["start"])
    again = version.invitee.redeem(data.links["used"], start, RECIPIENT, key=f"once-{data.number}")
    assert (again.code, again.json["bookingId"]) == ("201", made["bookingId"])
    taken = version.invitee.redeem(data.links["active"], start, RECIPIENT)
    assert taken.code == "409 slot-taken", taken


def _live_links_give_their_uses(version: Version, data: Data) -> None:
    links = data.links
    for name in ("active", "replacement"):
        version.book(links[name], next(data.free))
        used = version.invitee.redeem(links[name], next(data.free), "eve@invitees.example")
        assert used.code == "410 link-used", used
    stranger = version.invitee.redeem(links["recipient"], next(data.free), "eve@invitees.example")
    assert stranger.code == "403 recipient-mismatch", stranger
    version.book(links["recipient"], next(data.free))
    version.book(links["unlimited"], next(data.free))
    for _ in range(2):  # one of three uses is taken, and one was restored
        version.book(links["three uses"], next(data.free))
    over = version.invitee.redeem(links["three uses"], next(data.free), RECIPIENT)
    assert over.code == "410 link-used", over


def _bookings_can_be_moved_and_cancelled(version: Version, data: Data) -> None:
    for name in ("moved", "confirmed"):
        answer = version.own(data.bookings[name], "reschedule", {"start": rfc3339(next(data.free))})
        assert answer.status == 200, answer
    restored = version.own(data.bookings["confirmed"], "cancel")
    assert restored.status == 200, restored
    version.book(data.links["three uses"], next(data.free))
    erased = version.call("GET", f"/v1/bookings/{data.bookings['erased']['bookingId']}")
    assert RECIPIENT not in str(erased)
    version.call("DELETE", f"/v1/bookings/{data.bookings['moved']['bookingId']}/personal-data")
    again = version.own(data.bookings["cancelled"], "cancel")
    assert again.status == 200, again


def _the_host_finds_and_changes_everything(version: Version, data: Data) -> None:
    found = version.call("GET", f"/v1/links?hostId={data.host_id}&q=deal-{data.number}")["links"]
    assert [each["linkId"] for each in found] == [data.links["active"].link_id]
    assert found[0]["metadata"] == {"deal": "4711"}
    key = f"batch-{data.number}"
    assert tuple(each.link_id for each in _generate(version, data, count=3, key=key)) == data.batch
    successor = version.call("GET", f"/v1/event-types/{data.event_type_id}/rolling-link")
    assert successor["linkId"] != data.links["rolling"].link_id
    version.book(Link.of(successor), next(data.free))
    answered = version.call("POST", f"/v1/link-requests/{data.request_id}/answer", {}, status=201)
    data.links["answer"] = Link.of(answered)
    version.book(data.links["answer"], next(data.free))
    version.call("PATCH", f"/v1/event-types/{data.event_type_id}", {"description": "Changed"})
    host = version.call("PATCH", f"/v1/hosts/{data.host_id}", {"name": "Ada King"})
    assert (host["publicName"], len(host["timeOff"])) == ("Ada", 1)
    hook = version.call("PATCH", f"/v1/webhooks/{data.webhook_id}", {"description": "Changed"})
    assert (hook["url"], hook["events"]) == (version.hook, ["link.used"])
    archived = version.call("GET", f"/v1/event-types?hostId={data.host_id}&archived=true")["eventTypes"]
    assert [each["eventTypeId"] for each in archived] == [data.archived_id]
    revoked = version.call("POST", f"/v1/links/{data.batch[0]}/revoke")
    assert revoked["status"] == "revoked"
    version.call("POST", "/v1/links/bulk-delete", {"linkIds": list(data.batch[1:])})


_DAYS: Final = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DEAD: Final = {
    "used": "410 link-used",
    "rolling": "410 link-used",
    "revoked": "410 link-revoked",
    "replaced": "410 link-revoked",
    "expired": "410 link-expired",
    "early": "403 link-not-open",
    "deleted": "410 link-deleted",
}
_STEPS: Final[tuple[Callable[[Version, Data], None], ...]] = (
    _retries_return_the_same_booking,
    _dead_links_stay_dead,
    _live_links_give_their_uses,
    _bookings_can_be_moved_and_cancelled,
    _the_host_finds_and_changes_everything,
)


def deleted_links(*written: Data) -> set[str]:
    """Return the links that were deleted on purpose, for the audit."""
    return {each for data in written for each in (data.links["deleted"].link_id, *data.batch[1:])}
