"""The direct functions, invoked by name: generate, list, redeem and revoke links; make a key (docs/commands.md)."""

import functools
import json
import uuid
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.host_operations import acting_for, generate_request, redeem_named_link, wording_of
from chalicelib.consumers.payloads import (
    GenerateEvent,
    ListEvent,
    MakeAdminEvent,
    RedeemEvent,
    RevokeEvent,
)
from chalicelib.consumers.time_left import OutOfTimeError, require_time
from chalicelib.domain.causes import Cause
from chalicelib.domain.decoding import decode_json
from chalicelib.domain.errors import (
    AdmitOneError,
    FieldFault,
    InvalidValueError,
    StoreUnavailableError,
)
from chalicelib.domain.events.commands import without_secrets
from chalicelib.domain.links.link import MAX_LINKS_PER_CALL, Link
from chalicelib.domain.listings import MAX_PAGE, MIN_PAGE
from chalicelib.domain.team.api_keys import Role
from chalicelib.logs import correlate, correlated
from chalicelib.service.links.generate import generate, generate_batch, warnings_of_generated
from chalicelib.service.links.list import ListRequest, list_links
from chalicelib.service.links.revoke import bulk_revoke
from chalicelib.service.links.send_many import require_sendable, send_links
from chalicelib.service.ports import World
from chalicelib.service.team.authenticate import make_key
from chalicelib.wire.bulk import bulk_answer, require_response_fits
from chalicelib.wire.failures import known_error, log_failure
from chalicelib.wire.problems import lambda_error_name, problem
from chalicelib.wire.responses.api_keys import AdminKeyAnswer
from chalicelib.wire.responses.bookings import redeemed_answer
from chalicelib.wire.responses.links import LinkAnswer, LinkPageAnswer, LinksAnswer, link_answer
from chalicelib.wire.responses.warnings import warnings_answer

direct = Blueprint(__name__)

_OUT_OF_TIME: Final = (
    "The function ran out of time. Send the same call again: it continues where this one stopped."
)


class _Invocation(NamedTuple):
    """The context of a call: everything that a function uses besides its event."""

    world: World
    base_url: str
    cause: Cause
    context: Any  # Lambda's context object, which has the time left


_E = TypeVar("_E", GenerateEvent, ListEvent, MakeAdminEvent, RedeemEvent, RevokeEvent)
_Handler = Callable[[Any, Any], Any]
_Act = Callable[[_E, _Invocation], object]


class Refusal(Exception):
    """A failed call. Its class is named after the problem, and its text is the problem document."""


def refusal_of(error: AdmitOneError, correlation_id: str) -> Refusal:
    """Return an exception that Step Functions can catch by name.

    For the problem `link-used`, the error name is `LinkUsed` and the message is the problem document.
    """
    kind: type[Refusal] = type(lambda_error_name(error), (Refusal,), {"__module__": __name__})
    return kind(without_secrets(json.dumps(problem(error, correlation_id), ensure_ascii=False)))


def _function(name: str, kind: type[_E], *, writes: bool = True) -> Callable[[_Act[_E]], _Handler]:
    """Register a Lambda function that takes an event of one kind and returns the same data as the HTTP API."""

    def register(act: _Act[_E]) -> _Handler:
        @direct.lambda_function(name=name)
        @functools.wraps(act)
        def handle(event: Any, context: Any) -> Any:
            correlation_id = str(getattr(context, "aws_request_id", None) or uuid.uuid4())
            failure: Exception
            with correlated(correlation_id):
                try:
                    request = decode_json(json.dumps(event), kind)
                    correlation_id = request.correlation_id or correlation_id
                    correlate(correlation_id)
                    world, base_url = bootstrap.world(), bootstrap.settings().base_url or ""
                    if writes:
                        world.require_writable()
                    cause = Cause(f"function:{name}", correlation_id)
                    answer = act(request, _Invocation(world, base_url, cause, context))
                    return msgspec.json.decode(msgspec.json.encode(answer))
                except OutOfTimeError as error:
                    failure = StoreUnavailableError(_OUT_OF_TIME, fault=error.fault)
                except Exception as error:  # noqa: BLE001 - the caller gets every failure in one form
                    failure = error
                log_failure(failure, name)
            # Outside of the except blocks, so that Lambda logs it without its cause.
            raise refusal_of(known_error(failure), correlation_id)

        return handle  # type: ignore[no-any-return]

    return register


@_function("generate_links", GenerateEvent)
def generate_links(event: GenerateEvent, given: _Invocation) -> LinksAnswer:
    """Generate links. For more than 1,000 links, return only the batch id.

    An idempotency key is required for more than 1,000 links and for links that are emailed.
    """
    world, caller = given.world, acting_for(event.host_id)
    body = msgspec.structs.replace(event, correlation_id=None)
    request, wording = generate_request(body, event.idempotency_key), wording_of(event)
    if wording is not None:
        if event.idempotency_key is None:
            raise InvalidValueError([FieldFault("/idempotencyKey", "is required for links that are emailed")])
        require_sendable(world, request, wording)
    if len(request.links) <= MAX_LINKS_PER_CALL:
        require_response_fits(request.links)
        made = generate(world, caller, request, given.cause)
        if wording is not None:
            ids = [link.link_id for link in made.links]
            key = str(event.idempotency_key)
            send_links(world, caller, ids, wording, key, given.cause, lambda *_: require_time(given.context))
        warnings = warnings_answer(warnings_of_generated(made, request, now=world.now()))
        return LinksAnswer(batch_id=made.batch_id, links=_links(given, made.links), warnings=warnings)
    if event.idempotency_key is None:
        fault = FieldFault("/idempotencyKey", f"is required for more than {MAX_LINKS_PER_CALL} links")
        raise InvalidValueError([fault])

    def progress(done: int, size: int) -> None:
        if done < size:
            require_time(given.context)

    batch = generate_batch(world, caller, request, given.cause, progress)
    return LinksAnswer(batch_id=batch.batch_id, links=[], warnings=[])


@_function("list_links", ListEvent, writes=False)
def list_links_page(event: ListEvent, given: _Invocation) -> LinkPageAnswer:
    """List a host's links, a page at a time."""
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
    page = list_links(given.world, acting_for(event.host_id), request)
    return LinkPageAnswer(links=_links(given, page.rows), next_cursor=page.next_cursor)


@_function("redeem_link", RedeemEvent)
def redeem_link(event: RedeemEvent, given: _Invocation) -> object:
    """Book a slot with a link."""
    done = redeem_named_link(given.world, event, event.idempotency_key, given.cause)
    return redeemed_answer(done, given.world.keyring(), given.base_url)


@_function("revoke_links", RevokeEvent)
def revoke_links(event: RevokeEvent, given: _Invocation) -> object:
    """Revoke links independently of each other."""
    return bulk_answer(bulk_revoke(given.world, acting_for(event.host_id), event.link_ids, given.cause))


@_function("make_admin", MakeAdminEvent)
def make_admin(event: MakeAdminEvent, given: _Invocation) -> AdminKeyAnswer:
    """Create an admin key. Each call creates another one, because a stored key can't be shown again."""
    made = make_key(given.world, role=Role.ADMIN, host_id=None, name=event.name, cause=given.cause)
    return AdminKeyAnswer(
        key_id=made.key.key_id, api_key=made.secret, console_url=f"{given.base_url}/console"
    )


def _links(given: _Invocation, found: list[Link]) -> list[LinkAnswer]:
    ring, now = given.world.keyring(), given.world.now()
    return [link_answer(link, ring, given.base_url, now) for link in found]
