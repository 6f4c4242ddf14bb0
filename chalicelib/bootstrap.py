"""The composition root: create the world of a process (store, clock, keys, clients) once, when it is first needed."""

import contextlib
import os
import threading
import time
from datetime import UTC, datetime, timedelta

import msgspec

from chalicelib.clients.aws import Aws
from chalicelib.clients.event_bus import EventBus
from chalicelib.clients.mail_files import MailFiles
from chalicelib.clients.objects import Objects
from chalicelib.clients.queue import Queue
from chalicelib.clients.secrets import Secrets
from chalicelib.clients.ses import Ses
from chalicelib.clients.webhook_http import WebhookHttp
from chalicelib.domain.bookings.limits import BookingLimits
from chalicelib.domain.clock import as_instant
from chalicelib.domain.closing import Closing
from chalicelib.domain.mail.budgets import MailLimits
from chalicelib.domain.tokens import Keyring
from chalicelib.logs import install
from chalicelib.service.ports import Mailer, World
from chalicelib.settings import RetentionDays, Settings, read_settings
from chalicelib.store.dynamo_store import dynamo_store
from chalicelib.store.retention import Retention
from chalicelib.store.table import Table
from chalicelib.store.team.keyring_cache import KeyringCache
from chalicelib.store.team.signing_keys import keyring_of

install()  # every entry point imports this module
_lock = threading.Lock()
_made: tuple[Settings, World] | None = None


def utc_now() -> datetime:
    """Return the current instant, aware UTC, to the millisecond."""
    return as_instant(datetime.now(UTC))


def world() -> World:
    """Return the world of this process, created from the environment at the first call."""
    return _composed()[1]


def settings() -> Settings:
    """Return the settings of this process, read from the environment at the first call."""
    return _composed()[0]


def on_lambda() -> bool:
    """Return whether this process runs on Lambda, which sets the function's name in the environment."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def behind_tls() -> bool:
    """Return whether all clients use HTTPS. API Gateway offers nothing else; a local server usually has no TLS."""
    return on_lambda() and os.environ.get("LOCAL") != "1"


def warm_up() -> None:
    """Create the world during Lambda's initialization, when the function has a full CPU instead of a share.

    This makes no network call and does not raise: errors in the settings are raised at the first request.
    """
    with contextlib.suppress(Exception):
        _composed()


def compose(chosen: Settings, *, connect: bool = False) -> World:
    """Return a world for the given settings; with `connect`, its DynamoDB client is created at once."""
    table = Table(chosen.table_name)
    if connect:
        table.connect()
    # PynamoDB has one session for each thread, so a client that another thread creates would load a second one.
    session = table.session
    aws = Aws(lambda: session)
    return World(
        store=dynamo_store(table, _retention_of(chosen.retention)),
        now=utc_now,
        random_bytes=os.urandom,
        sleep=time.sleep,
        keyring=_keyring(chosen, aws),
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
        closed=Closing(chosen.bookings_closed),
        limits=BookingLimits(**msgspec.structs.asdict(chosen.limits)),
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
    """Drop the world, so that the next call reads the environment again. For tests and tools."""
    global _made  # noqa: PLW0603 - there is one world per process
    with _lock:
        _made = None


def _composed() -> tuple[Settings, World]:
    global _made  # noqa: PLW0603 - there is one world per process
    made = _made
    if made is None:
        with _lock:
            made = _made
            if made is None:
                chosen = read_settings()
                # Connect now; otherwise each of the threads that read a list's first page would create a client.
                made = _made = (chosen, compose(chosen, connect=True))
    return made


def _retention_of(days: RetentionDays) -> Retention:
    return Retention(
        **{kept: timedelta(days=number) for kept, number in msgspec.structs.asdict(days).items()}
    )


def _keyring(chosen: Settings, aws: Aws) -> KeyringCache:
    """Return the keyring, which is read at its first use, so that a function starts without a call to AWS."""
    secrets = Secrets(aws)

    def read() -> Keyring:
        if chosen.signing_keys is not None:
            return keyring_of(chosen.signing_keys)
        if chosen.signing_secret_id is not None:
            return keyring_of(secrets.read(chosen.signing_secret_id))
        raise RuntimeError("No signing keys are configured. Set SIGNING_SECRET_ID or SIGNING_KEYS.")

    return KeyringCache(read, utc_now)
