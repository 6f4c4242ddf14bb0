"""SES v2: hands over one whole mail, and says of a failure whether it may have been sent."""

from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from chalicelib.clients.aws import Aws
from chalicelib.clients.failures import failure_of
from chalicelib.domain.mail.mails import Letter, MailDeferredError, MailRefusedError, MailUnknownError

# What is wrong with the mail itself. All else that SES answers is the account's state: it may be put right.
_REFUSALS: Final = {"BadRequestException": "bad-request", "MessageRejected": "rejected"}
# Part of a MessageRejected that is about the account: a sender not set up, or the sandbox (docs/mail.md).
_NOT_VERIFIED: Final = "not verified"


class Ses:
    """Sends through SES. `configuration_set` is what tells of bounces; None tells of none."""

    def __init__(self, aws: Aws, configuration_set: str | None) -> None:
        self._aws = aws
        self._configuration_set = configuration_set

    def send(self, letter: Letter) -> str:
        """Hand a mail over and return SES's id for it. It is asked once: SES can't tell a repeat from a second mail.

        Raises `MailRefusedError` (never to be taken), `MailDeferredError` (not sent, perhaps later),
        `MailUnknownError` (no answer came, it may have been sent). None of them quotes mail or address.
        """
        request: dict[str, Any] = {
            "Destination": {"ToAddresses": [letter.to]},
            "Content": {"Raw": {"Data": letter.content}},
            "EmailTags": _tags(letter),
        }
        if self._configuration_set is not None:
            request["ConfigurationSetName"] = self._configuration_set
        try:
            answer = self._aws.client("sesv2").send_email(**request)
        except ClientError as error:
            raise _meaning(error) from None
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            raise MailDeferredError(failure_of(error)) from None
        except BotoCoreError as error:
            raise MailUnknownError(failure_of(error)) from None
        return str(answer["MessageId"])


def _tags(letter: Letter) -> list[dict[str, str]]:
    """Return the ids by which feedback finds its way back. They are public, no token is among them (P7)."""
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
