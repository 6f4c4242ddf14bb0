"""Respond to preflight requests: OPTIONS on every route that scripts of other sites may call. Changes nothing (P5).

The app responds itself, not API Gateway, because only code can compare an origin with those in the settings.
"""

from collections.abc import Iterable, Sequence

from chalicelib.api.http.call import Call
from chalicelib.api.http.cors import is_shared, preflight_headers
from chalicelib.api.http.routing import Reply, Router, View


def preflight_router(routers: Iterable[Router]) -> Router:
    """Return a router that responds to OPTIONS, without a key, on the paths that other sites may call."""
    methods: dict[str, list[str]] = {}
    for router in routers:
        for route in router.routes:
            if is_shared(route.path):
                methods.setdefault(route.path, []).extend(route.methods)
    for known in methods.values():
        if "GET" in known and "HEAD" not in known:
            known.append("HEAD")
    preflight = Router(__name__)
    for path, found in methods.items():
        preflight.on("OPTIONS", path, status=204)(_view(path, [*found, "OPTIONS"]))
    return preflight


def _view(path: str, methods: Sequence[str]) -> View:
    def options(call: Call) -> Reply:
        """Return the methods of a path and, for a listed origin, the methods and headers that it may use."""
        allowed = preflight_headers(call, path, methods)
        return Reply(204, headers={"Allow": ", ".join(methods), **allowed})

    return options
