"""Check whether an address can be emailed, so that no page or email promises one that can't be sent."""

from chalicelib.domain.mail.mails import MailRefusedError, delivery_address
from chalicelib.service.ports import World


def can_email(world: World, address: str | None) -> bool:
    """Return whether email is on and SES accepts this address; False for None, the address of an erased person.

    The address may still not exist: a bounce is reported later, in the link's history.
    """
    return world.mailer is not None and address is not None and is_deliverable(address)


def is_deliverable(address: str) -> bool:
    """Return whether SES accepts this address, even if email is off."""
    try:
        delivery_address(address)
    except MailRefusedError:
        return False
    return True
