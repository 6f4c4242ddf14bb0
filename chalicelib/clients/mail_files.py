"""Write a copy of each sent email to an `.eml` file, which mail programs open. For a developer's machine."""

import logging
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from chalicelib.domain.mail.mails import Letter
from chalicelib.logs import cause_fields, fields

log = logging.getLogger(__name__)

_FORM: Final = "%Y%m%dT%H%M%S.%f"


class _Sender(Protocol):
    def send(self, letter: Letter) -> str: ...


class MailFiles:
    """Sends an email with another mailer, then writes it to a directory. Creates the directory if it is missing."""

    def __init__(self, mailer: _Sender, directory: str, now: Callable[[], datetime]) -> None:
        self._mailer = mailer
        self._directory = Path(directory)
        self._now = now

    def send(self, letter: Letter) -> str:
        """Send an email, write it to `<time>-<event id>-<addressee>.eml`, and return the mailer's id for it.

        Raises the mailer's errors. If the file can't be written, this only logs a warning, because the email was sent.
        """
        sent = self._mailer.send(letter)
        try:
            self._keep(letter)
        except OSError as error:
            log.warning(
                "email sent, but its copy was not written to MAIL_DIRECTORY: %s",
                type(error).__name__,
                extra=fields("mail-copy-failed", eventId=letter.mail_id.event_id, **cause_fields(error)),
            )
        return sent

    def _keep(self, letter: Letter) -> None:
        # Only the owner may read the files: an email contains a secret URL (P7).
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = letter.mail_id
        name = f"{self._now().strftime(_FORM)[:-3]}Z-{about.event_id}-{about.addressee}.eml"
        # The file is renamed when it is complete, so no mail program reads half an email.
        unfinished = self._directory / f".{name}.{os.getpid()}"
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(letter.content)
        unfinished.replace(self._directory / name)
