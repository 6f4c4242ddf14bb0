"""Count an open of a link, while the data of its page is read. The link itself is not written (P5)."""

import logging
import threading

from chalicelib.domain.errors import TryLaterError
from chalicelib.domain.links.link import Link
from chalicelib.domain.links.visits import Visitor
from chalicelib.logs import cause_fields, correlated, fields, name_of, where
from chalicelib.service.ports import World

log = logging.getLogger(__name__)


def note_open(world: World, link: Link, visitor: Visitor, correlation_id: str) -> threading.Thread:
    """Start counting an open, and return the thread to join before responding. It adds no round trip to the page.

    If the open can't be counted, the page is shown anyway.
    """

    def count() -> None:
        try:
            world.require_writable()
            world.store.history.count_open(link, visitor, correlation_id, now=world.now())
        except TryLaterError:
            return
        except Exception as error:  # noqa: BLE001 - the page is not affected
            with correlated(correlation_id):
                log.error(  # noqa: TRY400 - P7: a traceback ends with the error's text
                    "open of link %s not counted: %s at %s",
                    link.link_id,
                    name_of(error),
                    where(error),
                    extra=fields("open-not-counted", linkId=link.link_id, **cause_fields(error)),
                )

    thread = threading.Thread(target=count, name="note-open")
    thread.start()
    return thread
