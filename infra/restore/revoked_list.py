"""Write the links that a restore revoked to a file."""

import csv
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from chalicelib.domain.restore_steps import RevokedLink, RevokeReason
from infra.paths import LOCAL

RESTORES: Final = LOCAL / "restores"


def write_revoked(stage: str, run: str, links: Iterable[RevokedLink]) -> tuple[Path, Counter[RevokeReason]]:
    """Write the revoked links to `revoked.csv`; return the file, and how many links have each reason.

    The file is replaced at once, so that a command that is killed leaves the old or the new file. Without links, an
    existing file stays, and is counted: 30 days after a restore, the table no longer has its list.
    """
    path = RESTORES / stage / run / "revoked.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft, counts = path.with_name(f"{path.name}.new"), Counter[RevokeReason]()
    with draft.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["linkId", "hostId", "eventTypeId", "reason", "at"])
        for link in links:
            rows.writerow(
                [link.link_id, link.host_id, link.event_type_id, link.reason.value, link.at.isoformat()]
            )
            counts[link.reason] += 1
        file.flush()
        os.fsync(file.fileno())
    if not counts and path.exists():
        draft.unlink()
        with path.open(newline="") as file:
            return path, Counter(RevokeReason(row["reason"]) for row in csv.DictReader(file))
    draft.replace(path)
    return path, counts
