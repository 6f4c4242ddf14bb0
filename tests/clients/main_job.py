"""The main job with the client that openapi-python-client generates; the test type-checks it and runs it."""

import json
import sys
from typing import TypeVar

from admit_one_client import AuthenticatedClient, Client
from admit_one_client.api.bookings import cancel_booking, list_bookings
from admit_one_client.api.event_types import create_event_type
from admit_one_client.api.links import create_links, get_link
from admit_one_client.api.private_link import get_offer, list_slots, redeem_link
from admit_one_client.models import (
    BookedTime,
    Booking,
    EventTypeInput,
    InviteeInput,
    LinksInput,
    LocationInput,
    LocationInputKind,
    Metadata,
    Problem,
    RecipientInput,
    RedeemInput,
    ScheduleInput,
    WeeklyHoursInput,
    WeeklyHoursInputDaysItem,
)

T = TypeVar("T")


def ok(answer: T | Problem | None) -> T:
    """Return the response; exit if it is a problem."""
    if answer is None or isinstance(answer, Problem):
        raise SystemExit(f"a problem: {answer}")
    return answer


base_url, api_key = sys.argv[1:]
team = AuthenticatedClient(base_url=base_url, token=api_key)
invitee = Client(base_url=base_url)

event_type = ok(
    create_event_type.sync(
        client=team,
        body=EventTypeInput(
            title="Interview",
            duration_minutes=30,
            minimum_notice_minutes=60,
            locations=[
                LocationInput(kind=LocationInputKind.VIDEO, detail="https://meet.example.com/interview")
            ],
            schedule=ScheduleInput(
                time_zone="Europe/Berlin",
                weekly=[
                    WeeklyHoursInput(
                        days=[WeeklyHoursInputDaysItem.MON, WeeklyHoursInputDaysItem.TUE],
                        from_="09:00",
                        to="17:00",
                    )
                ],
            ),
        ),
    )
)
metadata = Metadata()
metadata["stage"] = "second"
made = ok(
    create_links.sync(
        client=team,
        idempotency_key=f"interview-{event_type.event_type_id}",
        body=LinksInput(
            event_type_id=event_type.event_type_id,
            recipient=RecipientInput(name="Grace", email="grace@example.com"),
            external_id="candidate-42",
            metadata=metadata,
        ),
    )
)
link = made.links[0]
token = str(link.url).rpartition("/")[2]

offer = ok(get_offer.sync(token, client=invitee))
slots = ok(list_slots.sync(token, client=invitee)).slots


def redeem(time_zone: str, key: str) -> Booking | BookedTime | Problem | None:
    """Book the first slot."""
    person = InviteeInput(name="Grace", email="grace@example.com")
    body = RedeemInput(start=slots[0].start, time_zone=time_zone, invitee=person)
    return redeem_link.sync(token, client=invitee, body=body, idempotency_key=key)


def booked(answer: Booking | BookedTime | Problem | None) -> Booking:
    """Return the booking; exit if it is only a time, which a keyless retry gets."""
    if not isinstance(answer, Booking):
        raise SystemExit(f"no booking: {answer}")
    return answer


first, again = booked(redeem("Europe/London", "press")), booked(redeem("Europe/London", "press"))
late = redeem("UTC", "another")
reread = ok(get_link.sync(link.link_id, client=team))
bookings = ok(list_bookings.sync(client=team, link_id=link.link_id)).bookings
cancelled = ok(cancel_booking.sync(first.booking_id, client=team))

print(
    json.dumps(
        {
            "offered": offer.title,
            "replayed": again.booking_id == first.booking_id,
            "problem": late.type_ if isinstance(late, Problem) else None,
            "link": reread.status,
            "stage": reread.metadata["stage"],
            "bookings": [one.booking_id == first.booking_id for one in bookings],
            "booking": cancelled.status,
        }
    )
)
