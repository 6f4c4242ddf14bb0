"""Tell whether an email can go to an address, so that no page or email promises one that can't."""

from chalicelib.domain.mails import MailRefusedError, delivery_address
from chalicelib.service.ports import World


def can_email(world: World, address: str | None) -> bool:
    """Return whether email is on and SES can take this address; None, of a person who was erased, is False.

    It says nothing about whether the address exists: a bounce comes later, and is in the link's history.
    """
    return world.mailer is not None and address is not None and is_deliverable(address)


def is_deliverable(address: str) -> bool:
    """Return whether SES can take this address at all, whether email is on or not."""
    try:
        delivery_address(address)
    except MailRefusedError:
        return False
    return True
