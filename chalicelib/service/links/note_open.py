"""Count an open of a link, while the data of its page is read. The link itself is not written (P5)."""

import contextlib
import threading

from chalicelib.domain.errors import TryLaterError
from chalicelib.domain.links.link import Link
from chalicelib.domain.links.visits import Visitor
from chalicelib.service.ports import World


def note_open(world: World, link: Link, visitor: Visitor, correlation_id: str) -> threading.Thread:
    """Start counting an open, and return the thread to join before responding. It adds no round trip to the page.

    If the open can't be counted, the page is shown anyway.
    """

    def count() -> None:
        with contextlib.suppress(TryLaterError):
            world.require_writable()
            world.store.history.count_open(link, visitor, correlation_id, now=world.now())

    thread = threading.Thread(target=count, name="note-open")
    thread.start()
    return thread
