"""Email feedback: record the bounces and complaints that SES reports in the links' histories."""

from typing import Any

import msgspec
from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.batch import Message, handle_each
from chalicelib.domain.mail.feedback import read_feedback
from chalicelib.logs import correlate
from chalicelib.service.mail.note_feedback import note_feedback
from chalicelib.service.ports import World

mail_feedback = Blueprint(__name__)


@mail_feedback.lambda_function(name="mail_feedback")
def note(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Record each SES event in a batch of messages; return the messages to retry."""
    del context
    world = bootstrap.world()
    return handle_each(event["Records"], lambda message: _note(world, message), now=world.now)


def _note(world: World, message: Message) -> None:
    feedback = read_feedback(msgspec.json.decode(message["body"])["detail"])
    if feedback is not None:
        correlate(feedback.mail_id.event_id)
        note_feedback(world, feedback)
