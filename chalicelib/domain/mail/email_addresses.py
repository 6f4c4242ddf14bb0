"""Email addresses: which are valid, and the normalized form for comparison."""

import re
import unicodedata
from typing import Final

from chalicelib.domain.text import is_allowed_in_address

MAX_EMAIL_LENGTH: Final = 254  # RFC 5321 §4.5.3.1.3, without the angle brackets
_FORM: Final = re.compile(
    r"[^\s@<>()\[\]\\,;:\"\x00-\x20\x7f]{1,64}@[^\s@<>()\[\]\\,;:\"/\x00-\x20\x7f]+\.[^\s@<>()\[\]\\,;:\"/.\x00-\x20\x7f]+\Z"
)


def is_email(value: str) -> bool:
    """Return whether `value` looks like a deliverable address: `local@domain.tld`, without display name and quotes."""
    if len(value) > MAX_EMAIL_LENGTH or not _FORM.match(value) or not is_allowed_in_address(value):
        return False
    local, _, domain = value.rpartition("@")
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return False
    return _ascii_domain(domain) is not None and all(ch.isprintable() for ch in local)


def normalise_email(value: str) -> str:
    """Return an address in the form for comparison: NFC, lower case, with its domain in ASCII (IDNA).

    It uses lower case, not case folding, which would make `straße` and `strasse` equal. Raises ValueError if `value` is
    not an email address.
    """
    local, _, domain = ascii_address(value).rpartition("@")
    return f"{unicodedata.normalize('NFC', unicodedata.normalize('NFC', local).lower())}@{domain}"


def former_normal_email(value: str) -> str:
    """Return the case-folded form that versions before December 2026 wrote to index keys. Raises ValueError."""
    local, _, domain = ascii_address(value).rpartition("@")
    return f"{unicodedata.normalize('NFC', local).casefold()}@{domain}"


def email_domain(value: str) -> str:
    """Return the domain of an address in ASCII (IDNA), lower case."""
    return normalise_email(value).rpartition("@")[2]


def ascii_address(value: str) -> str:
    """Return an address with its domain in ASCII (IDNA) and its local part as typed. Raises ValueError.

    IDNA drops invisible characters in a domain. New addresses with such characters are rejected, but older versions
    stored them.
    """
    value = value.strip()
    local, _, domain = value.rpartition("@")
    ascii_domain = _ascii_domain(domain)
    if ascii_domain is None or not is_email(f"{local}@{ascii_domain}"):
        raise ValueError("not an email address")
    return f"{local}@{ascii_domain}"


def masked_address(value: str) -> str:
    """Return an address masked for a history: `g…@example.com`."""
    local, _, domain = value.rpartition("@")
    return f"{local[:1]}…@{domain}"


def _ascii_domain(domain: str) -> str | None:
    if not domain.isascii():
        import idna  # imported only for non-ASCII domains, because it takes 15 ms at a cold start

        try:
            domain = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError:
            return None
    # Check after IDNA, because it turns other full stops (`。`) into dots and can leave an empty last label.
    domain = domain.lower()
    fits = all(re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", label) for label in domain.split("."))
    return domain if fits and len(domain) <= 253 else None
