"""SES v2: send one email. A failure after which the email may have been sent has its own error."""

from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from chalicelib.clients.aws import Aws
from chalicelib.clients.failures import failure_of
from chalicelib.domain.mail.mails import Letter, MailDeferredError, MailRefusedError, MailUnknownError

# Errors in the email itself. Every other error is about the account, so a later retry may succeed.
_REFUSALS: Final = {"BadRequestException": "bad-request", "MessageRejected": "rejected"}
# A `MessageRejected` with this text is about the account: an unverified sender, or the sandbox (docs/mail.md).
_NOT_VERIFIED: Final = "not verified"


class Ses:
    """Sends emails with SES. The configuration set publishes bounces and complaints; without one, none is published."""

    def __init__(self, aws: Aws, configuration_set: str | None) -> None:
        self._aws = aws
        self._configuration_set = configuration_set

    def send(self, letter: Letter) -> str:
        """Send an email and return its id at SES. Never retries: SES has no idempotency key, so it could send twice.

        Raises `MailRefusedError` (SES will never accept it), `MailDeferredError` (not sent; a retry may succeed),
        `MailUnknownError` (no clear response; it may have been sent). No error contains the email or its address.
        """
        request: dict[str, Any] = {
            "Destination": {"ToAddresses": [letter.to]},
            "Content": {"Raw": {"Data": letter.content}},
            "EmailTags": _tags(letter),
        }
        if self._configuration_set is not None:
            request["ConfigurationSetName"] = self._configuration_set
        client = self._aws.client("sesv2")
        # P4: each email gets a new connection. An old one may have died while Lambda froze the function. After a failed
        # request on it, the email would have to wait until its claim expires, because it may have been sent.
        client.close()
        try:
            answer = client.send_email(**request)
        except ClientError as error:
            raise _meaning(error) from None
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            raise MailDeferredError(failure_of(error)) from None
        except BotoCoreError as error:
            raise MailUnknownError(failure_of(error)) from None
        return str(answer["MessageId"])


def _tags(letter: Letter) -> list[dict[str, str]]:
    """Return the ids that SES adds to bounces and complaints, which identify the email. No id is secret (P7)."""
    ids = {
        "eventId": letter.mail_id.event_id,
        "addressee": letter.mail_id.addressee.value,
        "linkId": letter.link_id,
        "hostId": letter.host_id,
        "eventTypeId": letter.event_type_id,
        "bookingId": letter.booking_id,
    }
    return [{"Name": name, "Value": value} for name, value in ids.items() if value]


def _meaning(error: ClientError) -> Exception:
    code = failure_of(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500:
        return MailUnknownError(code)
    if code in _REFUSALS and _NOT_VERIFIED not in error.response["Error"].get("Message", ""):
        return MailRefusedError(_REFUSALS[code])
    return MailDeferredError(code)
