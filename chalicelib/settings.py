"""What the environment says, read once when first needed, never at import (`chalice package` imports the app)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """`table_name` is always needed; then either `signing_secret_id` (Secrets Manager) or `signing_keys` (JSON)."""

    table_name: str
    signing_secret_id: str | None
    signing_keys: str | None
    base_url: str | None


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings. Raises `RuntimeError` that names what is missing."""
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
    )
