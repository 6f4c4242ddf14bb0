"""Mails as files beside SES, on a developer's machine: each one sent is also an `.eml` that mail programs open."""

import logging
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from chalicelib.domain.mail.mails import Letter

log = logging.getLogger(__name__)

_FORM: Final = "%Y%m%dT%H%M%S.%f"


class _Sender(Protocol):
    def send(self, letter: Letter) -> str: ...


class MailFiles:
    """Sends through another mailer, then writes the mail into a directory, which it makes."""

    def __init__(self, mailer: _Sender, directory: str, now: Callable[[], datetime]) -> None:
        self._mailer = mailer
        self._directory = Path(directory)
        self._now = now

    def send(self, letter: Letter) -> str:
        """Send a mail, write `<time>-<event id>-<addressee>.eml`, whole or not at all, and return the mailer's id.

        Raises what the mailer raises. A file that can't be written is only logged: the mail is out.
        """
        sent = self._mailer.send(letter)
        try:
            self._keep(letter)
        except OSError as error:
            log.warning("a mail could not be kept as a file: %s", type(error).__name__)
        return sent

    def _keep(self, letter: Letter) -> None:
        # The owner's alone: an email holds a secret URL (P7).
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = letter.mail_id
        name = f"{self._now().strftime(_FORM)[:-3]}Z-{about.event_id}-{about.addressee}.eml"
        unfinished = self._directory / f".{name}.{os.getpid()}"
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(letter.content)
        unfinished.replace(self._directory / name)
