"""`/v1/webhooks`: the endpoints that receive a host's events, their secrets, and their deliveries."""

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.team.routing import PAGING, one_of, page_limit, team_router
from chalicelib.domain.errors import FieldFault, InvalidRequestError, InvalidValueError
from chalicelib.domain.webhooks.deliveries import DeliveryStatus
from chalicelib.domain.webhooks.webhook import Webhook
from chalicelib.service.webhooks.manage import (
    NewSecret,
    change_webhook,
    create_webhook,
    delete_webhook,
    list_webhooks,
    read_webhook,
    rotate_secret,
)
from chalicelib.service.webhooks.manage_deliveries import (
    DeliveryRange,
    list_deliveries,
    replay_one,
    replay_range,
    send_test,
    zone_of_deliveries,
)
from chalicelib.wire.instants import has_date, instant, requested_range, requested_zone
from chalicelib.wire.requests.webhooks import ReplayBody, RotateBody, WebhookBody, WebhookChanges
from chalicelib.wire.responses.webhooks import (
    DeliveriesAnswer,
    DeliveryAnswer,
    ReplayAnswer,
    WebhookAnswer,
    WebhooksAnswer,
    WebhookSecretAnswer,
    delivery_answer,
    webhook_answer,
    webhook_secret_answer,
)

webhooks = team_router(__name__)


@webhooks.on("POST", "/v1/webhooks", body=WebhookBody, answer=WebhookSecretAnswer, status=201, keyed=True)
def post_webhooks(call: Call) -> Reply:
    """Create a webhook. Only this response has its signing secret."""
    body = call.decode(WebhookBody)
    made = create_webhook(
        call.world,
        call.caller,
        body.host_id,
        body.settings(),
        call.cause(),
        idempotency_key=call.idempotency_key,
    )
    return _secret_reply(call, made, 201)


@webhooks.on("GET", "/v1/webhooks", query=("hostId", *PAGING), answer=WebhooksAnswer)
def get_webhooks(call: Call) -> Reply:
    """List a host's webhooks, newest first."""
    query = call.query()
    page = list_webhooks(call.world, call.caller, query.get("hostId"), query.get("cursor"), page_limit(query))
    rows = [_answer(call, webhook) for webhook in page.rows]
    return json_reply(200, WebhooksAnswer(webhooks=rows, next_cursor=page.next_cursor))


@webhooks.on("GET", "/v1/webhooks/{webhookId}", answer=WebhookAnswer)
def get_webhook(call: Call) -> Reply:
    """Read a webhook and its log."""
    return json_reply(200, _answer(call, read_webhook(call.world, call.caller, call.path("webhookId"))))


@webhooks.on("PATCH", "/v1/webhooks/{webhookId}", body=WebhookChanges, answer=WebhookAnswer)
def patch_webhook(call: Call) -> Reply:
    """Change a webhook. Absent fields keep their values; pending deliveries go to the new URL."""
    changes = call.decode(WebhookChanges)
    changed = change_webhook(
        call.world, call.caller, call.path("webhookId"), changes.applied_to, call.cause()
    )
    return json_reply(200, _answer(call, changed))


@webhooks.on("DELETE", "/v1/webhooks/{webhookId}", status=204)
def delete_webhooks_one(call: Call) -> Reply:
    """Delete a webhook and its pending deliveries."""
    delete_webhook(call.world, call.caller, call.path("webhookId"), call.cause())
    return Reply(204)


@webhooks.on("POST", "/v1/webhooks/{webhookId}/rotate", body=RotateBody, answer=WebhookSecretAnswer)
def post_rotate(call: Call) -> Reply:
    """Replace the signing secret. For `overlapHours`, both secrets sign, so that receivers can switch."""
    body = call.decode(RotateBody) if call.body() else RotateBody()
    rotated = rotate_secret(call.world, call.caller, call.path("webhookId"), body.overlap_hours, call.cause())
    return _secret_reply(call, rotated, 200)


@webhooks.on("POST", "/v1/webhooks/{webhookId}/test", answer=DeliveryAnswer, status=202, keyed=True)
def post_test(call: Call) -> Reply:
    """Send a `webhook.test` event, without retries. The list of deliveries shows its result."""
    sent = send_test(
        call.world,
        call.caller,
        call.path("webhookId"),
        call.cause(),
        idempotency_key=call.idempotency_key,
    )
    return json_reply(202, delivery_answer(sent))


@webhooks.on(
    "GET",
    "/v1/webhooks/{webhookId}/deliveries",
    query=("status", "from", "to", "timeZone", *PAGING),
    answer=DeliveriesAnswer,
)
def get_deliveries(call: Call) -> Reply:
    """List a webhook's deliveries of the last 30 days, by their events' time, newest first.

    Dates are in `timeZone`, by default the host's zone.
    """
    query = call.query()
    zone = requested_zone(query)
    if zone is None and has_date(query):
        zone = zone_of_deliveries(call.world, call.caller, call.path("webhookId"))
    since, until = requested_range(query, zone or "UTC")
    where = DeliveryRange(
        status=one_of(query, "status", DeliveryStatus),
        since=since,
        until=until,
        cursor=query.get("cursor"),
    )
    page = list_deliveries(call.world, call.caller, call.path("webhookId"), where, page_limit(query))
    rows = [delivery_answer(delivery) for delivery in page.rows]
    return json_reply(200, DeliveriesAnswer(deliveries=rows, next_cursor=page.next_cursor))


@webhooks.on(
    "POST", "/v1/webhooks/{webhookId}/replay", body=ReplayBody, answer=ReplayAnswer, status=202, keyed=True
)
def post_replay(call: Call) -> Reply:
    """Redeliver one delivery, or the failed (or delivered) ones of a range, with the same `webhook-id`."""
    body = call.decode(ReplayBody)
    webhook_id = call.path("webhookId")
    if body.delivery_id is not None:
        if body.since or body.until or body.cursor:
            raise InvalidRequestError([FieldFault("/deliveryId", "can't be given together with a range")])
        done = replay_one(
            call.world, call.caller, webhook_id, body.delivery_id, call.idempotency_key, call.cause()
        )
    else:
        done = replay_range(
            call.world, call.caller, webhook_id, _range(body), call.idempotency_key, call.cause()
        )
    answer = ReplayAnswer(replayed=done.replayed, left=done.left, next_cursor=done.next_cursor)
    return json_reply(202, answer)


def _range(body: ReplayBody) -> DeliveryRange:
    if body.since is None or body.until is None:
        raise InvalidRequestError([FieldFault("", "must have a deliveryId, or from and to")])
    since, until = instant(body.since, "/from"), instant(body.until, "/to")
    if until <= since:
        raise InvalidValueError([FieldFault("/to", "must be after from")])
    return DeliveryRange(since=since, until=until, status=DeliveryStatus(body.status), cursor=body.cursor)


def _answer(call: Call, webhook: Webhook) -> WebhookAnswer:
    return webhook_answer(webhook, call.world.now())


def _secret_reply(call: Call, made: NewSecret, status: int) -> Reply:
    answer = webhook_secret_answer(made.webhook, made.secret, call.world.now())
    return json_reply(status, answer)
