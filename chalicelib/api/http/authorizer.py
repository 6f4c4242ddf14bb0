"""The Lambda authorizer of the team's routes: read an API key, return the caller's role and host (P9)."""

from typing import Final

from chalice.app import AuthRequest, AuthResponse, Blueprint

from chalicelib import bootstrap
from chalicelib.domain.errors import UnauthorizedError
from chalicelib.service.team.authenticate import authenticate
from chalicelib.wire.failures import log_failure

CACHE_SECONDS: Final = 30  # API Gateway may accept a key this long after it was revoked; 60 s is promised

auth = Blueprint(__name__)


class Unauthorized(Exception):
    """An invalid key. Raised from the authorizer, this exact word makes API Gateway respond 401 instead of 403."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


# The name is explicit: Chalice mistakes an authorizer called "api_key" for API Gateway's own API keys, and drops it.
@auth.authorizer(ttl_seconds=CACHE_SECONDS, name="authorizer")
def api_key(request: AuthRequest) -> AuthResponse:
    """Allow a valid key on every route: API Gateway caches the result, and the views decide what the key may see."""
    scheme, _, secret = request.token.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized
    try:
        caller = authenticate(bootstrap.world(), secret.strip())
    except UnauthorizedError:
        raise Unauthorized from None
    except Exception as error:
        log_failure(error, "the authorizer")
        raise
    context = {"keyId": caller.key_id, "role": caller.role.value, "hostId": caller.host_id or ""}
    return AuthResponse(routes=["*"], principal_id=caller.key_id, context=context)
