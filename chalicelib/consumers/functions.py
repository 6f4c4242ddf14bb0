"""Every function that other AWS services invoke, for packaging and for the local server."""

from typing import Final

from chalicelib.consumers.commands import commands
from chalicelib.consumers.direct_functions import direct
from chalicelib.consumers.expiry import expiry
from chalicelib.consumers.imports import imports
from chalicelib.consumers.mail import mail
from chalicelib.consumers.mail_feedback import mail_feedback
from chalicelib.consumers.outbox import outbox
from chalicelib.consumers.restore import restore
from chalicelib.consumers.webhook_deliver import webhook_deliver
from chalicelib.consumers.webhook_fanout import webhook_fanout
from chalicelib.consumers.webhook_retry import webhook_retry

FUNCTIONS: Final = (
    outbox,
    expiry,
    commands,
    direct,
    imports,
    mail,
    mail_feedback,
    restore,
    webhook_fanout,
    webhook_deliver,
    webhook_retry,
)
