"""Functions that other AWS services call by name: generate, list, redeem and revoke links (docs/commands.md)."""

import functools
import json
import logging
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.payloads import GenerateEvent, ListEvent, RedeemEvent, RevokeEvent
from chalicelib.consumers.time_left import OutOfTimeError, require_time
from chalicelib.consumers.verbs import (
    acting_for,
    generate_request,
    redeem_by,
    wording_of,
)
from chalicelib.domain.causes import Cause
from chalicelib.domain.decoding import decode_json
from chalicelib.domain.errors import (
    AdmitOneError,
    FieldFault,
    InvalidValueError,
    StoreUnavailableError,
    UnexpectedError,
)
from chalicelib.domain.events.commands import without_secrets
from chalicelib.domain.links.link import MAX_LINKS_PER_CALL, Link
from chalicelib.domain.listings import MAX_PAGE, MIN_PAGE
from chalicelib.service.links.generate import generate, generate_batch, warnings_of_generated
from chalicelib.service.links.list import ListRequest, list_links
from chalicelib.service.links.revoke import bulk_revoke
from chalicelib.service.links.send_many import require_sendable, send_links
from chalicelib.wire.bulk import bulk_answer, require_answerable
from chalicelib.wire.problems import problem
from chalicelib.wire.responses import (
    LinkAnswer,
    LinkPageAnswer,
    LinksAnswer,
    link_answer,
    redeemed_answer,
    warnings_answer,
)

direct = Blueprint(__name__)
log = logging.getLogger(__name__)

_E = TypeVar("_E", GenerateEvent, ListEvent, RedeemEvent, RevokeEvent)
_Handler = Callable[[Any, Any], Any]


class Refusal(Exception):
    """What a caller meets instead of an answer: the class's name is the problem's, its words are the document."""


def refusal_of(error: AdmitOneError, correlation_id: str) -> Refusal:
    """Return an error as Step Functions can catch it: `link-used` is of type `LinkUsed`, with the problem as JSON."""
    name = "".join(part.capitalize() for part in error.code.split("-"))
    kind: type[Refusal] = type(name, (Refusal,), {"__module__": __name__})
    return kind(without_secrets(json.dumps(problem(error, correlation_id), ensure_ascii=False)))


def _answers(name: str, kind: type[_E]) -> Callable[[Callable[[_E, Cause, Any], object]], _Handler]:
    """Register a function that is called with an event of one kind, and whose answer is the HTTP answer."""

    def register(act: Callable[[_E, Cause, Any], object]) -> _Handler:
        @direct.lambda_function(name=name)
        @functools.wraps(act)
        def handle(event: Any, context: Any) -> Any:
            correlation_id = str(getattr(context, "aws_request_id", None) or uuid.uuid4())
            try:
                asked = decode_json(json.dumps(event), kind)
                correlation_id = asked.correlation_id or correlation_id
                answer = act(asked, Cause(f"function:{name}", correlation_id), context)
                return msgspec.json.decode(msgspec.json.encode(answer))
            except AdmitOneError as error:
                refusal = refusal_of(error, correlation_id)
            except OutOfTimeError:
                more = StoreUnavailableError(
                    "The function's time is over; the same call again goes on from here."
                )
                refusal = refusal_of(more, correlation_id)
            except Exception as error:  # noqa: BLE001 - whatever it was, the caller is told in one form
                # By its name alone: what it says may quote the event (P7).
                log.error("%s failed: %s", name, type(error).__name__)  # noqa: TRY400
                refusal = refusal_of(UnexpectedError(), correlation_id)
            raise refusal  # outside of the handlers, so that Lambda logs it without what it came from

        return handle  # type: ignore[no-any-return]

    return register


@_answers("generate_links", GenerateEvent)
def generate_links(event: GenerateEvent, cause: Cause, context: Any) -> LinksAnswer:
    """Make links. More than 1,000 are answered by their batch alone, and need a key to be gone on with."""
    world, caller = bootstrap.world(), acting_for(event.host_id)
    body = msgspec.structs.replace(event, correlation_id=None)
    request, wording = generate_request(body, event.idempotency_key), wording_of(event)
    if wording is not None:
        if event.idempotency_key is None:
            raise InvalidValueError([FieldFault("/idempotencyKey", "is needed for links that are sent")])
        require_sendable(world, request, wording)
    if len(request.links) <= MAX_LINKS_PER_CALL:
        require_answerable(request.links)
        made = generate(world, caller, request, cause)
        if wording is not None:
            ids = [link.link_id for link in made.links]
            key = str(event.idempotency_key)
            send_links(world, caller, ids, wording, key, cause, lambda *_: require_time(context))
        warnings = warnings_answer(warnings_of_generated(made, request, now=world.now()))
        return LinksAnswer(batch_id=made.batch_id, links=_links(made.links), warnings=warnings)
    if event.idempotency_key is None:
        fault = FieldFault("/idempotencyKey", f"is needed for more than {MAX_LINKS_PER_CALL} links")
        raise InvalidValueError([fault])

    def progress(done: int, size: int) -> None:
        if done < size:
            require_time(context)

    batch = generate_batch(world, caller, request, cause, progress)
    return LinksAnswer(batch_id=batch.batch_id, links=[], warnings=[])


@_answers("list_links", ListEvent)
def list_links_page(event: ListEvent, cause: Cause, context: Any) -> LinkPageAnswer:
    """List a host's links, a page at a time."""
    del cause, context
    if not MIN_PAGE <= event.limit <= MAX_PAGE:
        raise InvalidValueError([FieldFault("/limit", f"must be {MIN_PAGE} to {MAX_PAGE}")])
    request = ListRequest(
        host_id=event.host_id,
        event_type_id=event.event_type_id,
        status=event.status,
        query=event.q,
        cursor=event.cursor,
        limit=event.limit,
        batch_id=event.batch_id,
    )
    page = list_links(bootstrap.world(), acting_for(event.host_id), request)
    return LinkPageAnswer(links=_links(page.rows), next_cursor=page.next_cursor)


@_answers("redeem_link", RedeemEvent)
def redeem_link(event: RedeemEvent, cause: Cause, context: Any) -> object:
    """Book a slot by a link."""
    del context
    world = bootstrap.world()
    done = redeem_by(world, event, event.idempotency_key, cause)
    return redeemed_answer(done, world.keyring(), _base_url())


@_answers("revoke_links", RevokeEvent)
def revoke_links(event: RevokeEvent, cause: Cause, context: Any) -> object:
    """Revoke links, each for itself."""
    del context
    return bulk_answer(bulk_revoke(bootstrap.world(), acting_for(event.host_id), event.link_ids, cause))


def _links(found: list[Link]) -> list[LinkAnswer]:
    world = bootstrap.world()
    ring, now = world.keyring(), world.now()
    return [link_answer(link, ring, _base_url(), now) for link in found]


def _base_url() -> str:
    return bootstrap.settings().base_url or ""
