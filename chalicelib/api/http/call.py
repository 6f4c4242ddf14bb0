"""One HTTP request as the views see it: parsed, bounded, independent of Chalice, and with a view's dependencies."""

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec
from chalice.app import Request

from chalicelib.domain.causes import INVITEE, Cause
from chalicelib.domain.decoding import decode_json
from chalicelib.domain.errors import (
    FieldFault,
    InvalidRequestError,
    PayloadTooLargeError,
    UnauthorizedError,
    UnsupportedMediaTypeError,
)
from chalicelib.domain.links.visits import Visitor, visitor_of
from chalicelib.domain.team.api_keys import Caller, Role
from chalicelib.domain.text import line_ends
from chalicelib.pages.languages import Words, chosen, words
from chalicelib.service.ports import World
from chalicelib.settings import Settings

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
KEY_FIELD: Final = "idempotencyKey"  # the form field that carries an `Idempotency-Key`

_CORRELATION: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}\Z")
_IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?\Z")
_MAX_FORM_FIELDS: Final = 200

_T = TypeVar("_T")


class Limits(msgspec.Struct, frozen=True):
    """The input that a route accepts: its query parameters, the body's maximum size, and the body's content types."""

    query: tuple[str, ...]
    max_bytes: int
    media: tuple[str, ...]


class Call:
    """A request within its route's limits, and the dependencies of its view.

    `world` and `settings` are called only when a view needs them. So a page that needs neither, such as an error page,
    works even if they can't be created.
    """

    def __init__(
        self,
        request: Request,
        limits: Limits,
        *,
        world: Callable[[], World],
        settings: Callable[[], Settings],
    ) -> None:
        self._request = request
        self._limits = limits
        self._world = world
        self._settings = settings
        self.method: str = request.method
        given = self.header("x-correlation-id")
        made = request.context.get("requestId") or uuid.uuid4().hex
        self.correlation_id: str = given if given and _CORRELATION.match(given) else str(made)

    @property
    def world(self) -> World:
        """The store, clock, keys and clients. Raises what creating them raises."""
        return self._world()

    @property
    def settings(self) -> Settings:
        """The site's settings. Raises `RuntimeError` that names what is missing or wrong in the environment."""
        return self._settings()

    @property
    def settings_or_none(self) -> Settings | None:
        """The site's settings, or None if they are invalid: error responses need headers that depend on settings."""
        try:
            return self._settings()
        except Exception:  # noqa: BLE001 - the view needs them as well, and its failure is logged
            return None

    def header(self, name: str) -> str | None:
        """Return a header's value, or None. The name may be in upper or lower case."""
        value = self._request.headers.get(name)
        return None if value is None else str(value)

    def path(self, name: str) -> str:
        """Return a path parameter, percent-decoded (Chalice leaves that to the view)."""
        return unquote((self._request.uri_params or {}).get(name, ""))

    def query(self) -> dict[str, str]:
        """Return the query parameters. Raises `InvalidRequestError` if one is not allowed or is repeated."""
        allowed = self._limits.query
        given = self._request.to_original_event().get("multiValueQueryStringParameters") or {}
        faults = [
            FieldFault(f"/{name}", "is not a parameter of this path") for name in given if name not in allowed
        ]
        faults += [
            FieldFault(f"/{name}", "must be given only once") for name in given if len(given[name]) > 1
        ]
        if faults:
            raise InvalidRequestError(faults)
        return {name: str(values[0]) for name, values in given.items()}

    def hint(self, name: str) -> str | None:
        """Return a query parameter that only changes how a page looks, or None. Unknown parameters are ignored.

        Email clients and social networks append parameters (`utm_source`, `fbclid`) to links that people send.
        """
        given = self._request.to_original_event().get("multiValueQueryStringParameters") or {}
        values = given.get(name)
        return str(values[0]) if values else None

    @property
    def root(self) -> str:
        """The relative URL of the site's root, e.g. `../` on `/s/{token}`, so it works with any stage and domain."""
        path = str(self._request.context.get("path") or "")
        if self._request.path == "/":  # `/api` and `/api/` are both the root of a stage
            return "./" if path.endswith("/") else f"{path.rpartition('/')[2]}/"
        steps = self._request.path.strip("/").count("/") + path.endswith("/")
        return "../" * steps or "./"

    @property
    def origin(self) -> str | None:
        """The absolute URL of the site's root as API Gateway reports it, or None without a gateway."""
        domain = self._request.context.get("domainName")
        if not domain:
            return None
        resource = self._request.path
        for name, value in (self._request.uri_params or {}).items():
            resource = resource.replace("{" + name + "}", value)
        prefix = str(self._request.context.get("path") or "").rstrip("/").removesuffix(resource.rstrip("/"))
        return f"https://{domain}{prefix}"

    @property
    def base_url(self) -> str:
        """The site's root without a trailing slash: the configured URL, otherwise the one that API Gateway reports."""
        return self.settings.base_url or self.origin or ""

    @property
    def media_type(self) -> str:
        """The body's content type, without parameters, lower case; JSON by default."""
        return (self.header("content-type") or JSON).partition(";")[0].strip().lower()

    def wants_html(self) -> bool:
        """Return whether the response is a page: only if `Accept` names `text/html`, as browsers do (ADR 0022).

        The type with the higher q wins: `text/html` or `application/json`. If q is equal, the type that a more specific
        range matches wins (axios sends `application/json, text/plain, */*`). If both are equal, the response is a page.
        Without `Accept`, or with `*/*`, the client is a program and gets JSON, even if it posts a form.
        """
        accept = self.header("accept") or ""
        html, json = _quality(accept, "text/html"), _quality(accept, JSON)
        if not html.q or not json.q:
            return html.q > json.q
        return html >= json and html.rank > _ANYTHING

    @property
    def say(self) -> Words:
        """The phrases in the language that the caller prefers (`Accept-Language`)."""
        return words(chosen(self.header("accept-language")))

    def visitor(self) -> Visitor:
        """Return the kind of client that opens the page, judged by its headers. Only the count of opens uses it."""
        purposes = (self.header(name) or "" for name in ("sec-purpose", "purpose", "x-moz"))
        return visitor_of(self.method, self.header("user-agent") or "", " ".join(purposes))

    def body(self) -> bytes:
        """Return the body. Raises `PayloadTooLargeError`, `UnsupportedMediaTypeError`, `InvalidRequestError`."""
        if self.media_type not in self._limits.media:
            raise UnsupportedMediaTypeError(f"This path accepts {' or '.join(self._limits.media)}.")
        event = self._request.to_original_event()
        body = event.get("body")
        if body is not None and len(body) > self._limits.max_bytes * (
            2 if event.get("isBase64Encoded") else 1
        ):
            raise PayloadTooLargeError(f"The body can have up to {self._limits.max_bytes} bytes.")
        try:
            raw = self._request.raw_body or b""
        except ValueError as error:  # invalid base64, or text with a lone surrogate
            raise InvalidRequestError([FieldFault("", "the body can't be decoded")]) from error
        raw = raw if isinstance(raw, bytes) else raw.encode()
        if len(raw) > self._limits.max_bytes:
            raise PayloadTooLargeError(f"The body can have up to {self._limits.max_bytes} bytes.")
        return raw

    def decode(self, kind: type[_T]) -> _T:
        """Return the JSON body as a struct. Raises `InvalidRequestError`, which has a JSON Pointer to each fault."""
        return decode_json(self.body(), kind)

    def form(self) -> dict[str, str]:
        """Return a posted form's fields. Raises `InvalidRequestError` if they are too many, repeated, or not UTF-8."""
        try:
            text = self.body().decode()
            fields = parse_qsl(
                text,
                keep_blank_values=True,
                strict_parsing=bool(text),
                errors="strict",
                max_num_fields=_MAX_FORM_FIELDS,
            )
        except ValueError as error:
            raise InvalidRequestError([FieldFault("", "the form can't be decoded")]) from error
        if len(dict(fields)) != len(fields):
            raise InvalidRequestError([FieldFault("", "each field must be given only once")])
        return {name: line_ends(value) for name, value in fields}

    @property
    def idempotency_key(self) -> str | None:
        """The `Idempotency-Key`, 1 to 255 printable ASCII characters, or None. Raises `InvalidRequestError`."""
        key = self.header("idempotency-key")
        if key is not None and not is_idempotency_key(key):
            raise InvalidRequestError(
                [FieldFault("", "the Idempotency-Key must be 1 to 255 printable ASCII characters")]
            )
        return key

    def form_key(self, fields: Mapping[str, str]) -> str | None:
        """Return the request's key from the header or a form's field `idempotencyKey`, or None.

        Raises `InvalidRequestError` for an invalid key, or if both are sent and differ.
        """
        header, field = self.idempotency_key, fields.get(KEY_FIELD)
        if field is not None and not is_idempotency_key(field):
            raise InvalidRequestError(
                [FieldFault(f"/{KEY_FIELD}", "must be 1 to 255 printable ASCII characters")]
            )
        if header is not None and field is not None and header != field:
            raise InvalidRequestError([FieldFault(f"/{KEY_FIELD}", "must equal the Idempotency-Key header")])
        return header if header is not None else field

    @property
    def caller(self) -> Caller:
        """The caller that the authorizer identified. Raises `UnauthorizedError` if it identified none."""
        found: Mapping[str, Any] = self._request.context.get("authorizer") or {}
        if not found.get("keyId"):
            raise UnauthorizedError
        return Caller(str(found["keyId"]), Role(found["role"]), str(found.get("hostId") or "") or None)

    def cause(self) -> Cause:
        """Return the actor and the correlation id that are recorded with every item that this request writes."""
        authorizer = self._request.context.get("authorizer") or {}
        key_id = authorizer.get("keyId")
        return Cause(f"key:{key_id}" if key_id else INVITEE, self.correlation_id)


def is_idempotency_key(text: str) -> bool:
    """Return whether a text is a valid `Idempotency-Key`: 1 to 255 printable ASCII characters."""
    return bool(_IDEMPOTENCY_KEY.match(text))


def whole_number(text: str, name: str) -> int:
    """Return a query parameter as a whole number. Raises `InvalidRequestError`."""
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise InvalidRequestError([FieldFault(f"/{name}", "must be a whole number")])
    return int(text)


class _Quality(NamedTuple):
    """The q of a media type in an `Accept` header, and how specific the matching range is."""

    q: float
    rank: int


_NAMED: Final = 2
_KIND: Final = 1
_ANYTHING: Final = 0
_UNNAMED: Final = -1


def _quality(accept: str, media_type: str) -> _Quality:
    """Return the quality of a media type in an `Accept` header, from the most specific range that matches."""
    ranks = {media_type: _NAMED, media_type.split("/", maxsplit=1)[0] + "/*": _KIND, "*/*": _ANYTHING}
    best = _Quality(0.0, _UNNAMED)
    for part in accept.split(",")[:50]:
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        rank = ranks.get(name, _UNNAMED)
        q = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        if rank > best.rank:
            best = _Quality(float(q) if re.fullmatch(r"[01](?:\.[0-9]{0,3})?", q) else 0.0, rank)
    return best
