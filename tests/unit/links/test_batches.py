"""A batch's id says which links belong to it, in one form only."""

import pytest

from chalicelib.domain.links.batches import Batch, batch_link_id, make_batch_id, read_batch_id
from chalicelib.domain.tokens import TOKEN_LENGTH
from tests.support.app import NOW

SEED = "0123456789abcdef" * 2


@pytest.mark.parametrize("size", [1, 99, 10_000])
def test_reading_gives_back_what_was_made_of(size: int) -> None:
    batch_id = make_batch_id(SEED, size)

    assert read_batch_id(batch_id) == (SEED, size)
    assert len(batch_id) != TOKEN_LENGTH  # what looks for tokens in logs must not find it
    assert batch_id == Batch(body_hash="", seed=SEED, created_at=NOW, size=size).batch_id


def test_two_batches_share_no_link() -> None:
    ids = {batch_link_id(seed, index) for seed in (SEED, SEED[::-1]) for index in range(500)}

    assert len(ids) == 1000


@pytest.mark.parametrize(
    "text", ["", "bat_", make_batch_id(SEED, 1)[:-1], make_batch_id(SEED, 1) + "\n", "x" * 36]
)
def test_anything_else_is_none(text: str) -> None:
    assert read_batch_id(text) is None
