"""The mail queue's consumer: events of bookings, and wishes that a link be mailed, become mails, each sent once."""

import logging
from typing import Any

import msgspec
from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.time_left import OutOfTimeError, require_time
from chalicelib.domain.events.envelopes import Envelope, read_envelope
from chalicelib.domain.mail.digests import DigestMessage
from chalicelib.domain.mail.mails import MailDeferredError, MailRefusedError, MailUnknownError
from chalicelib.domain.urls import booking_url, link_url
from chalicelib.pages.mail.body import MailRoute
from chalicelib.pages.mail.digest import digest_mail
from chalicelib.pages.mail.mails import booking_mail, link_mail
from chalicelib.service.mail.of_event import BookingNews, MailNews, NoNews, mails_of_event, seconds_to_wait
from chalicelib.service.mail.send import NEEDED, send_once
from chalicelib.service.mail.send_digest import send_digest
from chalicelib.service.mail.send_later import mail_after, mail_later

mail = Blueprint(__name__)
log = logging.getLogger(__name__)


@mail.lambda_function(name="mail")
def send(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Take a batch of the queue's messages; answer with those that are to come again."""
    failed = []
    for record in event["Records"]:
        number = record["messageId"]
        try:
            _take(record, context)
        except _TooEarlyError as early:
            mail_after(bootstrap.world(), record, early.seconds)
        except (MailDeferredError, MailUnknownError, OutOfTimeError) as error:
            log.warning("message %s: a mail is to be tried again: %s", number, error)
            mail_later(bootstrap.world(), record)
        except Exception as error:  # noqa: BLE001 - one bad message stops nobody
            # By its name alone: what went wrong may quote what was read, or a mail with its secret (P7).
            log.error("message %s can't be told: %s", number, _name(error))  # noqa: TRY400
        else:
            continue
        failed.append({"itemIdentifier": number})
    return {"batchItemFailures": failed}


class _TooEarlyError(Exception):
    """Within these seconds a later change of the same booking may replace this one."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(seconds)


def _take(record: dict[str, Any], context: object) -> None:
    """Send the email that a message asks for. Raises `_TooEarlyError` and what `_send` raises."""
    world, body = bootstrap.world(), msgspec.json.decode(record["body"])
    if "digest" in body:
        _send_digest(msgspec.convert(body["digest"], DigestMessage), context)
        return
    event = read_envelope(body["detail"])
    if wait := seconds_to_wait(event, world.mail_limits.wait_seconds, world.now()):
        raise _TooEarlyError(wait)
    _send(event, context)


def _name(error: Exception) -> str:
    """Return what kind of error it is, with the code that a service gave it."""
    response = getattr(error, "response", None) or {}
    code = response.get("Error", {}).get("Code")
    return f"{type(error).__name__} {code}" if code else type(error).__name__


def _send(event: Envelope, context: object) -> None:
    """Send what an event asks for. Where one mail fails the others are still sent, then the first failure is raised."""
    world = bootstrap.world()
    mailer = world.mailer
    if mailer is None:
        return  # mail is off
    failures: list[Exception] = []
    for news in mails_of_event(world, event):
        try:
            require_time(context, NEEDED)
            send_once(world, mailer, news.draft, lambda to, news=news: _written(news, to))  # type: ignore[misc]
        except Exception as failure:  # noqa: BLE001 - raised below
            failures.append(failure)
    if failures:
        raise failures[0]


def _send_digest(message: DigestMessage, context: object) -> None:
    """Send a digest; raise the reason if it can't be sent."""
    world = bootstrap.world()
    if world.mailer is None:
        return  # mail is off
    require_time(context, NEEDED)
    send_digest(
        world, world.mailer, message.digest_id, lambda news, to: digest_mail(news, _route(to), _console())
    )


def _route(to: str) -> MailRoute:
    settings = bootstrap.settings()
    if settings.mail_sender is None:
        raise RuntimeError("MAIL_SENDER is not set")
    return MailRoute(settings.mail_sender, to, bootstrap.world().now())


def _console() -> str:
    settings = bootstrap.settings()
    if settings.base_url is None:
        raise RuntimeError("BASE_URL is not set")
    return f"{settings.base_url}/console#bookings"


def _written(news: MailNews, to: str) -> bytes:
    """Return a mail; the secret URL in it is made here, and kept nowhere. Raises `MailRefusedError`."""
    if isinstance(news, NoNews):
        raise MailRefusedError(news.reason)
    world, settings = bootstrap.world(), bootstrap.settings()
    if settings.base_url is None:
        raise RuntimeError("BASE_URL is not set")
    envelope = _route(to)
    if isinstance(news, BookingNews):
        own_page = booking_url(news.booking, world.keyring(), settings.base_url)
        return booking_mail(news, envelope, own_page, _console())
    url = link_url(news.link, world.keyring(), settings.base_url)
    if url is None:
        raise MailRefusedError("key-retired")
    return link_mail(news, envelope, url)
