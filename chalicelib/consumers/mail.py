"""The mail queue: turn events of bookings, and requests to email a link, into emails, each sent once."""

from typing import Any, NamedTuple

import msgspec
from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.batch import Message, MessageWaitsError, RetryMessageError, handle_each
from chalicelib.consumers.time_left import OutOfTimeError, require_time
from chalicelib.domain.events.envelopes import Envelope, read_envelope
from chalicelib.domain.mail.digests import DigestMessage
from chalicelib.domain.mail.mails import (
    MailDeferredError,
    MailRefusedError,
    MailUnknownError,
    MailWaitsError,
)
from chalicelib.domain.urls import booking_url, link_url
from chalicelib.logs import correlate
from chalicelib.pages.mail.body import MailRoute
from chalicelib.pages.mail.digest import digest_mail
from chalicelib.pages.mail.mails import booking_mail, link_mail
from chalicelib.service.mail.mails_of_event import (
    BookingNews,
    MailNews,
    NoNews,
    mails_of_event,
    seconds_to_wait,
)
from chalicelib.service.mail.send import NEEDED, send_once
from chalicelib.service.mail.send_digest import send_digest
from chalicelib.service.mail.send_later import retry_after, retry_later
from chalicelib.service.ports import World
from chalicelib.settings import Settings

mail = Blueprint(__name__)


class _Site(NamedTuple):
    """Everything for rendering and sending an email. The settings are required only if email is configured."""

    world: World
    settings: Settings
    context: object  # Lambda's context object, which has the time left

    @property
    def base_url(self) -> str:
        """The site's base URL. Raises `RuntimeError` if it is not set."""
        if self.settings.base_url is None:
            raise RuntimeError("BASE_URL is not set")
        return self.settings.base_url

    @property
    def console(self) -> str:
        """The URL of the console."""
        return f"{self.base_url}/console#bookings"

    def route(self, to: str) -> MailRoute:
        """Return sender, addressee and date of an email. Raises `RuntimeError` if no sender is set."""
        if self.settings.mail_sender is None:
            raise RuntimeError("MAIL_SENDER is not set")
        return MailRoute(self.settings.mail_sender, to, self.world.now())


@mail.lambda_function(name="mail")
def send(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Send the emails of each message in a batch; return the messages to retry."""
    site = _Site(bootstrap.world(), bootstrap.settings(), context)
    return handle_each(event["Records"], lambda message: _handle(site, message), now=site.world.now)


def _handle(site: _Site, message: Message) -> None:
    """Send the emails of one message. Raises `RetryMessageError`, `MessageWaitsError` after scheduling the retry."""
    body = msgspec.json.decode(message["body"])
    try:
        if "digest" in body:
            _send_digest(site, msgspec.convert(body["digest"], DigestMessage))
        else:
            _send_news(site, message, read_envelope(body["detail"]))
    except MailWaitsError as error:
        retry_later(site.world, message)
        raise MessageWaitsError(f"an email waits for a day with budget left: {error}") from error
    except (MailDeferredError, MailUnknownError, OutOfTimeError) as error:
        retry_later(site.world, message)
        raise RetryMessageError(f"an email could not be sent: {error}", error.fault) from error


def _send_news(site: _Site, message: Message, event: Envelope) -> None:
    """Send the emails of an event. If one fails, the others are still sent; then the first failure is raised."""
    world = site.world
    correlate(event.correlation_id)
    if wait := seconds_to_wait(event, world.mail_limits.wait_seconds, world.now()):
        retry_after(world, message, wait)
        raise MessageWaitsError(f"a later change of the booking may replace this one within {wait} s")
    mailer = world.mailer
    if mailer is None:
        return  # email is not configured
    failures: list[Exception] = []
    for news in mails_of_event(world, event):
        try:
            require_time(site.context, NEEDED)
            send_once(world, mailer, news.draft, lambda to, news=news: _render(site, news, to))  # type: ignore[misc]
        except Exception as failure:  # noqa: BLE001 - raised below
            failures.append(failure)
    if failures:
        raise failures[0]


def _send_digest(site: _Site, message: DigestMessage) -> None:
    """Send a digest; raise the failure if it can't be sent."""
    world = site.world
    if world.mailer is None:
        return  # email is not configured
    require_time(site.context, NEEDED)
    send_digest(
        world,
        world.mailer,
        message.digest_id,
        lambda news, to: digest_mail(news, site.route(to), site.console),
    )


def _render(site: _Site, news: MailNews, to: str) -> bytes:
    """Return an email. The secret URL in it is computed here and never stored. Raises `MailRefusedError`."""
    if isinstance(news, NoNews):
        raise MailRefusedError(news.reason)
    route, ring = site.route(to), site.world.keyring()
    if isinstance(news, BookingNews):
        own_page = booking_url(news.booking, ring, site.base_url)
        return booking_mail(news, route, own_page, site.console)
    url = link_url(news.link, ring, site.base_url)
    if url is None:
        raise MailRefusedError("key-retired")
    return link_mail(news, route, url)
