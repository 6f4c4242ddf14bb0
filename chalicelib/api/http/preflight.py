"""The answer to OPTIONS on every route that other sites' scripts may call; it reads nothing and changes nothing (P5).

The app answers, not API Gateway by itself: only code can compare an origin with the ones that the settings list.
"""

from collections.abc import Iterable, Sequence

from chalicelib.api.http.call import Call
from chalicelib.api.http.cors import is_shared, preflight_headers
from chalicelib.api.http.routing import Door, Reply, View


def preflight_door(doors: Iterable[Door]) -> Door:
    """Return a door that answers OPTIONS on the doors' shared paths, without a key: a browser sends none."""
    methods: dict[str, list[str]] = {}
    for door in doors:
        for route in door.routes:
            if is_shared(route.path):
                methods.setdefault(route.path, []).extend(route.methods)
    for known in methods.values():
        if "GET" in known and "HEAD" not in known:
            known.append("HEAD")
    preflight = Door(__name__)
    for path, found in methods.items():
        preflight.on("OPTIONS", path, status=204)(_view(path, [*found, "OPTIONS"]))
    return preflight


def _view(path: str, methods: Sequence[str]) -> View:
    def options(call: Call) -> Reply:
        """Tell which methods a path has, and a listed origin what it may send."""
        allowed = preflight_headers(call.header("origin"), path, methods)
        return Reply(204, headers={"Allow": ", ".join(methods), **allowed})

    return options
