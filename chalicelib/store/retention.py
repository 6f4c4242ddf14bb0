"""How long items are kept after they end, before DynamoDB's TTL may delete them (`purgeAt`)."""

from datetime import timedelta

import msgspec


class Retention(msgspec.Struct, frozen=True):
    """How long each kind of item is kept.

    The times count from a link's final status, a booking's end, a day's end, a receipt's creation, a history entry's
    time, or a webhook delivery's end. `request` is for requests for a new link. `queued` is for items of queued
    requests: longer than twice the 14 days that a queue keeps a message, because a redrive starts them again.
    """

    link: timedelta = timedelta(days=30)
    booking: timedelta = timedelta(days=365)
    day: timedelta = timedelta(days=7)
    receipt: timedelta = timedelta(days=7)
    queued: timedelta = timedelta(days=30)
    request: timedelta = timedelta(days=30)
    history: timedelta = timedelta(days=400)
    delivery: timedelta = timedelta(days=30)
