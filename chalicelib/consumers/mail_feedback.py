"""What SES says of our mails, from its queue: bounces and complaints go into the links' histories."""

import logging
from typing import Any

import msgspec
from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.domain.mail.feedback import read_feedback
from chalicelib.service.mail.note_feedback import note_feedback

mail_feedback = Blueprint(__name__)
log = logging.getLogger(__name__)


@mail_feedback.lambda_function(name="mail_feedback")
def note(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Take a batch of the queue's messages; answer with those that are to come again."""
    del context
    failed = []
    for record in event["Records"]:
        try:
            feedback = read_feedback(msgspec.json.decode(record["body"])["detail"])
            if feedback is not None:
                note_feedback(bootstrap.world(), feedback)
        except Exception as error:  # noqa: BLE001 - one bad message stops nobody
            # By its name alone: what SES says names the person's address.
            log.error("message %s can't be noted: %s", record["messageId"], type(error).__name__)  # noqa: TRY400
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
