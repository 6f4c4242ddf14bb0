"""Settings from the environment. They are not read at import, because `chalice package` imports the app."""

import os
import re
from collections.abc import Mapping
from typing import Final

import msgspec

# An origin as in a Content-Security-Policy. Nothing else is allowed, because it goes into a header unescaped.
_ORIGIN: Final = re.compile(r"https?://(?:\*\.)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[0-9]{1,5})?")
# An origin as browsers send it: lower case, without a default port or a trailing slash.
_SENT_ORIGIN: Final = re.compile(r"https?://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-9]{1,5})?")
_DIGITS: Final = re.compile(r"[0-9]{1,5}", re.ASCII)


class RetentionDays(msgspec.Struct, frozen=True):
    """How many days to keep ended items: `RETENTION_LINK_DAYS` and so on. `store/retention.py` uses them."""

    link: int = 30
    booking: int = 365
    day: int = 7
    receipt: int = 7
    queued: int = 30
    request: int = 30
    history: int = 400
    delivery: int = 30


# Minimums: a day's busy cells must outlast the day (P2), and a receipt must outlast the retries of its request (P4). A
# host needs time to see a link request, and to replay a webhook's delivery. The others may be deleted at once.
_MIN_DAYS: Final = RetentionDays(
    link=0, booking=0, day=1, receipt=1, queued=28, request=1, history=0, delivery=4
)
_MAX_DAYS: Final = 36500
_MAX_REPEATS: Final = 1000
_CLOSED: Final = ("no", "yes", "all")


class DailyMails(msgspec.Struct, frozen=True):
    """Daily email limits, `MAIL_INVITEE_DAILY_LIMIT` and so on; `domain/mail/budgets.py` defines them (P15)."""

    invitee: int = 20
    host: int = 50
    recipient: int = 20
    link: int = 100


_MAX_DAILY_MAILS: Final = 1000  # a budget's item lists the emails it counted; 1,000 take 9 KB
_MAX_WAIT_SECONDS: Final = 600

# A bare ASCII address without a display name: it goes into a header unescaped, beside the name of the host.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


class Limits(msgspec.Struct, frozen=True):
    """Limits on moves and restores, `MOVES_PER_BOOKING` and `RESTORES_PER_LINK`; see `domain/bookings/limits.py`."""

    moves_per_booking: int = 10
    restores_per_link: int = 5


class Settings(msgspec.Struct, frozen=True):
    """The settings. `table_name` and one of the two sources of signing keys are required.

    - `signing_secret_id`: the keys' secret in Secrets Manager; `signing_keys`: the keys themselves, as JSON.
    - `base_url`: the site's root; default: the URL that API Gateway reports.
    - `frame_ancestors`: origins of the sites that may show a booking page in a frame; none by default.
    - `cors_origins`: origins of the sites whose scripts may call the API; none by default.
    - `event_bus_name`: where events are published; without it, they are only in the links' histories.
    - `outbox_dlq_url`: the queue for stream records that could not be published.
    - `command_dlq_url`: the queue for commands that were rejected.
    - `webhook_queue_url`: the queue of pending deliveries; `webhook_dlq_url`: the queue of failed ones.
    - `local`: on a developer's machine only: webhooks may use the loopback address and plain HTTP.
    - `stage`: the stage's name, which a command may require.
    - `link_requests_per_day`: how many people besides the recipient may request a new link per dead link and day.
    - `bookings_closed`: what is rejected while the table is restored: bookings, or all changes.
    - `mail_sender`: a bare address; without it, no email is sent.
    - `mail_configuration_set`: the SES configuration set that reports bounces.
    - `mail_directory`: where to write a copy of each email as a file.
    - `mail_wait_seconds`: how long to wait for further changes before emailing about a move or cancellation.
    """

    table_name: str
    signing_secret_id: str | None
    signing_keys: str | None
    base_url: str | None
    frame_ancestors: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    event_bus_name: str | None = None
    outbox_dlq_url: str | None = None
    command_dlq_url: str | None = None
    retention: RetentionDays = RetentionDays()
    webhook_queue_url: str | None = None
    webhook_dlq_url: str | None = None
    local: bool = False
    bookings_closed: str = "no"
    mail_sender: str | None = None
    mail_configuration_set: str | None = None
    mail_directory: str | None = None
    mail_queue_url: str | None = None
    stage: str | None = None
    link_requests_per_day: int = 5
    limits: Limits = Limits()
    daily_mails: DailyMails = DailyMails()
    mail_wait_seconds: int = 60


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings. Raises `RuntimeError` that names a missing or invalid variable."""
    env = os.environ if environment is None else environment
    if not env.get("TABLE_NAME"):
        raise RuntimeError("TABLE_NAME is not set. Set it to the name of the DynamoDB table.")
    if not (env.get("SIGNING_SECRET_ID") or env.get("SIGNING_KEYS")):
        raise RuntimeError("Neither SIGNING_SECRET_ID nor SIGNING_KEYS is set. Set one of them.")
    return Settings(
        table_name=env["TABLE_NAME"],
        signing_secret_id=env.get("SIGNING_SECRET_ID") or None,
        signing_keys=env.get("SIGNING_KEYS") or None,
        base_url=(env.get("BASE_URL") or "").rstrip("/") or None,
        frame_ancestors=_origins("FRAME_ANCESTORS", env.get("FRAME_ANCESTORS") or "", _ORIGIN),
        cors_origins=read_cors_origins(env),
        event_bus_name=env.get("EVENT_BUS_NAME") or None,
        outbox_dlq_url=env.get("OUTBOX_DLQ_URL") or None,
        command_dlq_url=env.get("COMMAND_DLQ_URL") or None,
        retention=_retention(env),
        webhook_queue_url=env.get("WEBHOOK_QUEUE_URL") or None,
        webhook_dlq_url=env.get("WEBHOOK_DLQ_URL") or None,
        local=env.get("LOCAL") == "1",
        bookings_closed=_closed(env.get("BOOKINGS_CLOSED") or "no"),
        mail_sender=_address(env.get("MAIL_SENDER") or ""),
        mail_configuration_set=env.get("MAIL_CONFIGURATION_SET") or None,
        mail_directory=env.get("MAIL_DIRECTORY") or None,
        mail_queue_url=env.get("MAIL_QUEUE_URL") or None,
        stage=env.get("STAGE") or None,
        link_requests_per_day=_count("LINK_REQUESTS_PER_DAY", env.get("LINK_REQUESTS_PER_DAY") or "5", 99),
        limits=Limits(
            moves_per_booking=_count("MOVES_PER_BOOKING", env.get("MOVES_PER_BOOKING") or "10", _MAX_REPEATS),
            restores_per_link=_count(
                "RESTORES_PER_LINK", env.get("RESTORES_PER_LINK") or "5", _MAX_REPEATS, 0
            ),
        ),
        daily_mails=_daily_mails(env),
        mail_wait_seconds=_count(
            "MAIL_WAIT_SECONDS", env.get("MAIL_WAIT_SECONDS") or "60", _MAX_WAIT_SECONDS, 0
        ),
    )


def _count(name: str, text: str, most: int, least: int = 1) -> int:
    """Return a number from `least` to `most`. Raises `RuntimeError` for anything else."""
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise RuntimeError(f"{name} must be a number from {least} to {most}, not {text!r}")
    return int(text)


def _closed(text: str) -> str:
    """Return what is closed, as `domain/closing.py` defines it. Raises `RuntimeError` for anything else."""
    if text not in _CLOSED:
        raise RuntimeError(f"BOOKINGS_CLOSED must be no, yes or all, not {text!r}")
    return text


def _address(text: str) -> str | None:
    """Return a bare ASCII address, or None for an empty text. Raises `RuntimeError` for anything else."""
    if not text:
        return None
    if not _ADDRESS.fullmatch(text):
        raise RuntimeError(f"MAIL_SENDER must be a bare address, e.g. bookings@example.com, not {text!r}")
    return text


def read_cors_origins(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the origins in `CORS_ORIGINS`, separated by spaces or commas. Raises `RuntimeError` for anything else."""
    text = (env.get("CORS_ORIGINS") or "").replace(",", " ")
    origins = _origins("CORS_ORIGINS", text, _SENT_ORIGIN)
    for origin in origins:
        if origin.endswith(":443" if origin.startswith("https:") else ":80"):
            raise RuntimeError(
                f"CORS_ORIGINS: remove the port from {origin!r}; browsers do not send default ports"
            )
    return origins


def _origins(name: str, text: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Return space-separated origins. Raises `RuntimeError` for anything that is not one."""
    origins = tuple(text.split())
    for origin in origins:
        if not pattern.fullmatch(origin):
            raise RuntimeError(f"{name} must be origins, e.g. https://www.example.com, not {origin!r}")
    return origins


def _daily_mails(env: Mapping[str, str]) -> DailyMails:
    """Return the daily email limits. Raises `RuntimeError` for a value that is not a number or too large."""
    limits: dict[str, int] = {}
    for field in msgspec.structs.fields(DailyMails):
        name = f"MAIL_{field.name.upper()}_DAILY_LIMIT"
        limits[field.name] = _count(name, env.get(name) or str(field.default), _MAX_DAILY_MAILS, 0)
    return DailyMails(**limits)


def _retention(env: Mapping[str, str]) -> RetentionDays:
    """Return how long to keep items. Raises `RuntimeError` for a value that is not a number or out of range."""
    days: dict[str, int] = {}
    for kept in msgspec.structs.fields(RetentionDays):
        name = f"RETENTION_{kept.name.upper()}_DAYS"
        text, least = env.get(name), getattr(_MIN_DAYS, kept.name)
        if not text:
            continue
        if not _DIGITS.fullmatch(text) or not least <= int(text) <= _MAX_DAYS:
            raise RuntimeError(f"{name} must be a number of days from {least} to {_MAX_DAYS}, not {text!r}")
        days[kept.name] = int(text)
    return RetentionDays(**days)
