"""How long DynamoDB keeps what is over before its TTL may delete it (`purgeAt`)."""

from datetime import timedelta

import msgspec


class Retention(msgspec.Struct, frozen=True):
    """Days kept after: a link's final status, a booking's end, a day's end, a receipt's creation, an entry's time.

    `request` is for requests for a new link. `delivery` is counted from a webhook delivery's end. `queued` is for what
    comes from a queue: more than the 4 days of a queue and the 14 of its dead-letter queue.
    """

    link: timedelta = timedelta(days=30)
    booking: timedelta = timedelta(days=365)
    day: timedelta = timedelta(days=7)
    receipt: timedelta = timedelta(days=7)
    queued: timedelta = timedelta(days=30)
    request: timedelta = timedelta(days=30)
    history: timedelta = timedelta(days=400)
    delivery: timedelta = timedelta(days=30)
