"""Measure a warm redeem through the whole handler, compared with a handwritten handler of the same transaction."""

import base64
import json
import time
from typing import Final

from infra.local.engines.dynoxide import Dynoxide
from tests.bench.report.sections import Section, spread
from tests.bench.setup.bare_handler import bare_handler
from tests.bench.setup.site import Site, redeem_event, starts

ROUNDS: Final = 12
A_ROUND: Final = 40
BUDGET: Final = 1.5


def warm_redeem() -> Section:
    """Measure both handlers alternately; each redeem has its own link and slot."""
    section = Section(
        "A warm redeem",
        f"{ROUNDS} rounds of {A_ROUND} sequential redeems by each handler, alternating, in one process, on an "
        "in-memory dynoxide. The ratio is that of a round's medians, with the quartiles over the rounds in brackets.",
    )
    with Dynoxide() as engine:
        site = Site(engine)
        ring = json.loads(site.signing_keys)
        bare = bare_handler(site.raw, site.table_name, base64.b64decode(ring["keys"]["1"]))
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(ROUNDS + 1):
            event_type = site.event_type(site.host())
            events = [
                redeem_event(token, start)
                for token, start in zip(
                    site.tokens(event_type, 2 * A_ROUND), starts(2 * A_ROUND, 30), strict=True
                )
            ]
            times: tuple[list[float], list[float]] = ([], [])
            for number, event in enumerate(events):
                began = time.perf_counter()
                status = site(event)[0] if number % 2 else bare(event, None)["statusCode"]
                times[number % 2].append(time.perf_counter() - began)
                if status != 201:
                    raise RuntimeError(f"a redeem returned {status}")
            theirs.append(sorted(times[0])[A_ROUND // 2])
            ours.append(sorted(times[1])[A_ROUND // 2])
    del ours[0], theirs[0]  # the first round warms both
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    middle = sorted(ratios)[len(ratios) // 2]
    section.add(
        "redeem, ours / by hand",
        spread(ratios),
        budget=f"≤ {BUDGET}",
        met=middle <= BUDGET,
        raw={"ours_ms": [1000 * one for one in ours], "bare_ms": [1000 * one for one in theirs]},
    )
    section.add("by hand, ms", spread([1000 * one for one in theirs]))
    section.add("ours, ms", spread([1000 * one for one in ours]))
    return section
