"""Build the store: every aggregate over one table."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from chalicelib.domain.events.events import Event
from chalicelib.store.bookings.bookings import Bookings
from chalicelib.store.bookings.days import Days
from chalicelib.store.event_types import EventTypes
from chalicelib.store.events.history import History
from chalicelib.store.events.outbox import events_of
from chalicelib.store.heartbeat import Heartbeat
from chalicelib.store.links.batches import Batches
from chalicelib.store.links.due import Due
from chalicelib.store.links.links import Links
from chalicelib.store.links.rolling import RollingLinks
from chalicelib.store.mail.budgets import MailBudgets
from chalicelib.store.mail.digests import MailDigests
from chalicelib.store.mail.mails import Mails
from chalicelib.store.redeem import Redeems
from chalicelib.store.restore import Restore
from chalicelib.store.restore_records import RestoreRecords
from chalicelib.store.retention import Retention
from chalicelib.store.table import Table
from chalicelib.store.team.api_keys import ApiKeys
from chalicelib.store.team.hosts import Hosts
from chalicelib.store.webhooks import Deliveries, Webhooks


class DynamoStore(msgspec.Struct, frozen=True):
    """Everything that is stored, by subject."""

    hosts: Hosts
    api_keys: ApiKeys
    event_types: EventTypes
    history: History
    links: Links
    due: Due
    days: Days
    rolling_links: RollingLinks
    events_of: Callable[[Mapping[str, Any]], list[Event]]
    batches: Batches
    bookings: Bookings
    redeems: Redeems
    webhooks: Webhooks
    deliveries: Deliveries
    restore: Restore
    restore_records: RestoreRecords
    mails: Mails
    mail_budgets: MailBudgets
    mail_digests: MailDigests
    heartbeat: Heartbeat


def dynamo_store(table: Table, retention: Retention | None = None) -> DynamoStore:
    """Return the store of a table."""
    retention = retention or Retention()
    history, days = History(table, retention), Days(table, retention)
    links = Links(table, history, retention)
    rolling = RollingLinks(table, links)
    bookings = Bookings(table, links, days, retention)
    return DynamoStore(
        hosts=Hosts(table),
        api_keys=ApiKeys(table),
        event_types=EventTypes(table),
        history=history,
        links=links,
        due=Due(table),
        days=days,
        batches=Batches(table, links, retention),
        rolling_links=rolling,
        events_of=events_of,
        webhooks=Webhooks(table, retention),
        deliveries=Deliveries(table, retention),
        bookings=bookings,
        redeems=Redeems(table, bookings, days, rolling, retention),
        restore=Restore(table, links, bookings, days),
        restore_records=RestoreRecords(table, links),
        mails=Mails(table, history, retention),
        mail_budgets=MailBudgets(table),
        mail_digests=MailDigests(table, retention),
        heartbeat=Heartbeat(table),
    )
