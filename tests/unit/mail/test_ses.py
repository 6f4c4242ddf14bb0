"""P4: SES's response decides whether an email is final, retried, or possibly sent, so that none is sent twice."""

from collections.abc import Iterator
from typing import Final

import botocore.session
import pytest
from botocore.stub import Stubber

from chalicelib.clients.aws import Aws
from chalicelib.clients.ses import Ses
from chalicelib.domain.mail.mails import (
    Addressee,
    Letter,
    MailDeferredError,
    MailId,
    MailRefusedError,
    MailUnknownError,
)

LETTER: Final = Letter(
    mail_id=MailId("evt_1", Addressee.INVITEE),
    link_id="lnk_1",
    host_id="hst_1",
    event_type_id="evt_type_1",
    booking_id=None,
    to="grace@example.com",
    content=b"Subject: Hello\r\n\r\n",
)


@pytest.fixture
def ses() -> Iterator[tuple[Ses, Stubber]]:
    """A client of SES whose responses the test chooses."""
    aws = Aws(botocore.session.get_session)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        client = aws.client("sesv2")
    with Stubber(client) as stubber:
        yield Ses(aws, None), stubber


@pytest.mark.parametrize(
    ("code", "message", "status", "error"),
    [
        ("InternalServiceError", "", 500, MailUnknownError),
        ("ServiceUnavailable", "", 503, MailUnknownError),
        ("MessageRejected", "", 502, MailUnknownError),
        ("BadRequestException", "", 400, MailRefusedError),
        ("MessageRejected", "Email address contains a virus", 400, MailRefusedError),
        ("MessageRejected", "Email address is not verified", 400, MailDeferredError),
        ("TooManyRequestsException", "", 429, MailDeferredError),
        ("AccountSuspendedException", "", 400, MailDeferredError),
    ],
)
def test_an_error_of_ses_says_whether_the_email_may_have_been_sent(
    ses: tuple[Ses, Stubber], code: str, message: str, status: int, error: type[Exception]
) -> None:
    """After a 5xx the email may have been sent, whatever the error's code."""
    client, stubber = ses
    stubber.add_client_error("send_email", code, message, status)
    with pytest.raises(error) as raised:
        client.send(LETTER)
    assert LETTER.to not in str(raised.value)


def test_a_sent_email_has_the_id_that_ses_gave_it(ses: tuple[Ses, Stubber]) -> None:
    """Bounces and complaints name the email by this id."""
    client, stubber = ses
    stubber.add_response("send_email", {"MessageId": "ses-1"})
    assert client.send(LETTER) == "ses-1"
