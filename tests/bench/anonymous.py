"""Find the most expensive request that needs neither a key nor a link, among all routes that need no key.

Each request is sent once to the app, and its response is measured. The milliseconds of a call are those that `prices`
assumes.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from chalicelib.api.routes import PREFLIGHT, ROUTERS
from chalicelib.pages.assets import FOLDER
from chalicelib.pages.bundle import assemble
from infra.local.engines.dynoxide import Dynoxide
from tests.bench.prices import API_MS, ASSET_MS, AUTHORIZER_MS, Use
from tests.bench.report.sections import Section
from tests.bench.setup.site import Site, proxy_event

_FORGED: Final = "A" * 43
_LARGEST_BODY: Final = "x" * 64_000
_HEADERS_KB: Final = 1.5
_QUICK: Final = ("/assets/{name}", "/v1/openapi.json", "/v1/version")  # they read and compute nothing


def anonymous() -> Section:
    """Price a million of each request that somebody without a key or link can send."""
    section = Section(
        "Without a key or a link",
        "Every route that needs no key, with forged tokens and the largest body, each uncompressed; rejected API keys; "
        "unknown paths. The most expensive one is documented in docs/security.md.",
    )
    with Dynoxide() as engine:
        site = Site(engine)
        for name, event in _events():
            use = Use()
            with site.counting() as counted:
                size = len(site.raw_answer(event)["body"].encode())
            use.http(ASSET_MS if event["resource"] in _QUICK else API_MS)
            use.units({"wcu": counted.write_units, "rcu": counted.read_units})
            use.out_kb = _HEADERS_KB + size / 1024
            _add(section, name, use, size)
    for name, calls, reads in (
        ("an unknown path", 0, 0),
        ("a malformed API key", 1, 0),
        ("an unknown API key", 1, 1),
    ):
        use = Use(requests=1, out_kb=_HEADERS_KB, rcu=reads)
        use.call(512, AUTHORIZER_MS, calls)
        _add(section, name, use, 0)
    return section


def _add(section: Section, name: str, use: Use, size: int) -> None:
    dollars = round(sum(use.dollars().values()), 2)
    section.add(name, f"${dollars:.2f}, {size:,} bytes", raw={"dollars": dollars, "bytes": size})


def _events() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a request for every route without a key, and one for every static file."""
    for route in (
        route for router in (*ROUTERS, PREFLIGHT) for route in router.routes if not route.needs_key
    ):
        for method in route.methods:
            if route.path == "/assets/{name}":
                continue
            path = dict.fromkeys(re.findall(r"\{(\w+)\}", route.path), _FORGED)
            body = _LARGEST_BODY if method == "POST" else None
            event = proxy_event(method, route.path, path=path, headers={"accept": "text/html"})
            yield f"{method} {route.path}", {**event, "body": body}
    for plain, (hashed, _) in sorted(assemble(FOLDER).items()):
        yield f"GET /assets/{Path(plain).name}", proxy_event("GET", "/assets/{name}", path={"name": hashed})
