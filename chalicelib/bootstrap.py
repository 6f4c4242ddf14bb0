"""The composition root: wires store, clock and keys together, once, when first needed."""

import contextlib
import logging
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from chalicelib.clients.aws import Aws
from chalicelib.clients.event_bus import EventBus
from chalicelib.clients.mail_files import MailFiles
from chalicelib.clients.objects import Objects
from chalicelib.clients.queue import Queue
from chalicelib.clients.ses import Ses
from chalicelib.clients.webhook_http import WebhookHttp
from chalicelib.domain.clock import as_instant
from chalicelib.domain.limits import Limits
from chalicelib.domain.mail.budgets import MailLimits
from chalicelib.domain.tokens import Keyring
from chalicelib.service.ports import Mailer, World
from chalicelib.settings import RetentionDays, Settings, read_settings
from chalicelib.store.dynamo import dynamo_store
from chalicelib.store.retention import Retention
from chalicelib.store.table import Table
from chalicelib.store.team.signing_keys import fetch_keyring, keyring_of

KEYRING_AGE: Final = timedelta(minutes=5)  # how long a warm function may not know of a new signing key

log = logging.getLogger(__name__)
_lock = threading.Lock()
_made: tuple[Settings, World] | None = None


def utc_now() -> datetime:
    """Return the current instant, aware UTC, to the millisecond."""
    return as_instant(datetime.now(UTC))


def world() -> World:
    """Return the one world of this process, made from the environment at the first call."""
    return _composed()[1]


def settings() -> Settings:
    """Return the settings of this process, read from the environment at the first call."""
    return _composed()[0]


def on_lambda() -> bool:
    """Tell whether this is a function of AWS Lambda's, which names each in its environment."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def behind_tls() -> bool:
    """Return whether all clients use HTTPS: API Gateway has nothing else; a local server usually does not."""
    return on_lambda() and os.environ.get("LOCAL") != "1"


def warm_up() -> None:
    """Do what every request needs while Lambda starts the function: it has a whole processor then, and later a part.

    Calls nobody, and does not raise: what is wrong with the settings is for the first request to say.
    """
    with contextlib.suppress(Exception):
        _composed()


def compose(chosen: Settings, *, connect: bool = False) -> World:
    """Return a world for the given settings; with `connect` the client of DynamoDB is made at once."""
    table = Table(chosen.table_name)
    if connect:
        table.connect()
    aws = Aws(lambda: table.connection.session)
    return World(
        store=dynamo_store(table, _retention_of(chosen.retention)),
        now=utc_now,
        random_bytes=os.urandom,
        sleep=time.sleep,
        keyring=_Keys(chosen, table),
        event_bus=EventBus(aws, chosen.event_bus_name) if chosen.event_bus_name else None,
        outbox_dlq=Queue(aws, chosen.outbox_dlq_url) if chosen.outbox_dlq_url else None,
        command_dlq=Queue(aws, chosen.command_dlq_url) if chosen.command_dlq_url else None,
        webhook_queue=Queue(aws, chosen.webhook_queue_url) if chosen.webhook_queue_url else None,
        webhook_dlq=Queue(aws, chosen.webhook_dlq_url) if chosen.webhook_dlq_url else None,
        webhook_http=WebhookHttp(local=chosen.local),
        local=chosen.local,
        stage=chosen.stage,
        requests_per_day=chosen.link_requests_per_day,
        objects=Objects(aws),
        closed=chosen.bookings_closed,
        limits=Limits(**msgspec.structs.asdict(chosen.limits)),
        mailer=_mailer(chosen, aws),
        mail_queue=Queue(aws, chosen.mail_queue_url) if chosen.mail_queue_url else None,
        mail_limits=MailLimits(
            **msgspec.structs.asdict(chosen.daily_mails), wait_seconds=chosen.mail_wait_seconds
        ),
    )


def _mailer(chosen: Settings, aws: Aws) -> Mailer | None:
    if chosen.mail_sender is None:
        return None
    ses = Ses(aws, chosen.mail_configuration_set)
    return MailFiles(ses, chosen.mail_directory, utc_now) if chosen.mail_directory else ses


def forget() -> None:
    """Drop what was made, so that the next call reads the environment anew. For tests and tools."""
    global _made  # noqa: PLW0603 - one world a process is the point
    with _lock:
        _made = None


def _composed() -> tuple[Settings, World]:
    global _made  # noqa: PLW0603 - one world a process is the point
    made = _made
    if made is None:
        with _lock:
            made = _made
            if made is None:
                chosen = read_settings()
                # Connected: the threads of a list's first page would each make a client of their own.
                made = _made = (chosen, compose(chosen, connect=True))
    return made


def _retention_of(days: RetentionDays) -> Retention:
    return Retention(
        **{kept: timedelta(days=number) for kept, number in msgspec.structs.asdict(days).items()}
    )


class _Keys:
    """The keyring, read when first needed and again once it is old; an old one serves while Secrets Manager fails."""

    def __init__(self, chosen: Settings, table: Table) -> None:
        self._chosen = chosen
        self._table = table
        self._ring: Keyring | None = None
        self._read_at: datetime | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Keyring:
        ring, read_at = self._ring, self._read_at
        if ring is not None and read_at is not None and utc_now() - read_at < KEYRING_AGE:
            return ring
        with self._lock:
            if self._ring is None or self._read_at is read_at:
                self._refresh()
            ring = self._ring
        if ring is None:
            raise RuntimeError("no signing keys")
        return ring

    def _refresh(self) -> None:
        try:
            if self._chosen.signing_keys is not None:
                self._ring = keyring_of(self._chosen.signing_keys)
            elif self._chosen.signing_secret_id is not None:
                self._ring = fetch_keyring(self._table.connection.session, self._chosen.signing_secret_id)
        except Exception as error:
            if self._ring is None:
                raise
            # By its name alone: what a parser or botocore says may quote the secret.
            log.warning(
                "the signing keys could not be read again, the old ones serve: %s", type(error).__name__
            )
        self._read_at = utc_now()
