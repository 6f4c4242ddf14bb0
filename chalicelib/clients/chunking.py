"""Split entries into batches that fit AWS's limits on one call: a number of entries and a number of bytes."""

from collections.abc import Iterator, Sequence


def chunks_of(sized: Sequence[tuple[int, int]], *, most: int, max_bytes: int) -> Iterator[list[int]]:
    """Yield the places of `(place, bytes)` pairs in order, in groups that fit into one call.

    Every entry must fit into a call by itself.
    """
    group: list[int] = []
    taken = 0
    for place, size in sized:
        if group and (len(group) == most or taken + size > max_bytes):
            yield group
            group, taken = [], 0
        group.append(place)
        taken += size
    if group:
        yield group
