"""Split entries into batches that fit AWS's limits on one call: a maximum number of entries and of bytes."""

from collections.abc import Iterator, Sequence


def chunks_of(sized: Sequence[tuple[int, int]], *, most: int, max_bytes: int) -> Iterator[list[int]]:
    """Group entries, given as `(place, bytes)`, in order, so that each group fits into one call; yield their places.

    Every entry must fit into a call by itself.
    """
    group: list[int] = []
    group_bytes = 0
    for place, size in sized:
        if group and (len(group) == most or group_bytes + size > max_bytes):
            yield group
            group, group_bytes = [], 0
        group.append(place)
        group_bytes += size
    if group:
        yield group
