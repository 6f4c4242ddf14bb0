"""`make zone-rules`: write chalicelib/pages/invitee/zone_rules.json from the pinned tzdata."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

import msgspec
import tzdata

from chalicelib.domain.zones import zone_names
from chalicelib.pages.invitee.zone_rules import FILE, Steps, ZoneGroup, ZoneRules, steps_of, zone_hash

_BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
_END: Final = datetime(2044, 1, 1, tzinfo=UTC)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)

# Values that browsers report for an unknown zone. Their hashes must differ from the hashes of all zones.
_NO_ZONES: Final = ("Etc/Unknown", "Factory", "undefined", "null", "", "localtime", "SystemV/PST8PDT")


def main() -> None:
    """Write the file."""
    names = sorted(zone_names())
    factor = next(
        factor
        for factor in count(3, 2)
        if len({zone_hash(name, factor) for name in (*names, *_NO_ZONES)}) == len(names) + len(_NO_ZONES)
    )
    groups: dict[Steps, bytes] = {}
    for name in names:
        steps = steps_of(name, _BEGIN, _END)
        groups[steps] = groups.get(steps, b"") + zone_hash(name, factor).to_bytes(2, "big")
    rules = ZoneRules(
        tzdata=tzdata.__version__,
        factor=factor,
        begin=(_BEGIN - _EPOCH) // _MINUTE,
        end=(_END - _EPOCH) // _MINUTE,
        groups=tuple(ZoneGroup(b64encode(hashes).decode(), steps) for steps, hashes in groups.items()),
    )
    FILE.write_bytes(msgspec.json.encode(rules) + b"\n")
    print(f"{FILE.name}: {len(names)} zones, {len(groups)} groups, {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
