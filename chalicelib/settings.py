"""What the environment says, read once when first needed, never at import (`chalice package` imports the app)."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# An origin as a Content-Security-Policy names one; nothing else, since it goes into a header as it is.
_ORIGIN: Final = re.compile(r"https?://(?:\*\.)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class Settings:
    """`table_name` is always needed; then either `signing_secret_id` (Secrets Manager) or `signing_keys` (JSON).

    `frame_ancestors` are the origins of the sites that may show a booking page in a frame; none by default.
    Without `event_bus_name` events go into the links' history alone. `outbox_dlq_url` is the queue of the stream's
    records that could not be told, `command_dlq_url` that of the commands that can't be followed.
    """

    table_name: str
    signing_secret_id: str | None
    signing_keys: str | None
    base_url: str | None
    frame_ancestors: tuple[str, ...] = ()
    event_bus_name: str | None = None
    outbox_dlq_url: str | None = None
    command_dlq_url: str | None = None


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings. Raises `RuntimeError` that names what is missing or wrong."""
    env = os.environ if environment is None else environment
    if not env.get("TABLE_NAME"):
        raise RuntimeError("TABLE_NAME is not set")
    if not (env.get("SIGNING_SECRET_ID") or env.get("SIGNING_KEYS")):
        raise RuntimeError("neither SIGNING_SECRET_ID nor SIGNING_KEYS is set")
    return Settings(
        table_name=env["TABLE_NAME"],
        signing_secret_id=env.get("SIGNING_SECRET_ID") or None,
        signing_keys=env.get("SIGNING_KEYS") or None,
        base_url=(env.get("BASE_URL") or "").rstrip("/") or None,
        frame_ancestors=_origins(env.get("FRAME_ANCESTORS") or ""),
        event_bus_name=env.get("EVENT_BUS_NAME") or None,
        outbox_dlq_url=env.get("OUTBOX_DLQ_URL") or None,
        command_dlq_url=env.get("COMMAND_DLQ_URL") or None,
    )


def _origins(text: str) -> tuple[str, ...]:
    """Return space-separated origins. Raises `RuntimeError` for anything that is not one."""
    origins = tuple(text.split())
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise RuntimeError(f"FRAME_ANCESTORS: {origin!r} is not an origin, e.g. https://www.example.com")
    return origins
