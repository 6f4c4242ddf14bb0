"""The Lambda authorizer of the team's routes: reads an API key, returns the caller's role and host (P9)."""

from typing import Final

from chalice.app import AuthRequest, AuthResponse, Blueprint

from chalicelib import bootstrap
from chalicelib.domain.errors import UnauthorizedError
from chalicelib.service.team.authenticate import authenticate

CACHE_SECONDS: Final = 30  # API Gateway may answer for a key this long after it was revoked; 60 s is promised

auth = Blueprint(__name__)


class Unauthorized(Exception):
    """Raised out of the authorizer, this exact word makes API Gateway answer 401 instead of 403."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


# A name of its own: Chalice takes an authorizer that is called "api_key" for API Gateway's own API keys, and drops it.
@auth.authorizer(ttl_seconds=CACHE_SECONDS, name="authorizer")
def api_key(request: AuthRequest) -> AuthResponse:
    """Let a genuine key through to every route: the views tell what it may see, and the answer is cached."""
    scheme, _, secret = request.token.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized
    try:
        caller = authenticate(bootstrap.world(), secret.strip())
    except UnauthorizedError:
        raise Unauthorized from None
    context = {"keyId": caller.key_id, "role": caller.role.value, "hostId": caller.host_id or ""}
    return AuthResponse(routes=["*"], principal_id=caller.key_id, context=context)
