"""A batch's id determines its links, and has exactly one spelling."""

import pytest

from chalicelib.domain.links.batches import Batch, batch_link_id, make_batch_id, read_batch_id
from chalicelib.domain.tokens import TOKEN_LENGTH
from tests.support.app import NOW

SEED = "0123456789abcdef" * 2


@pytest.mark.parametrize("size", [1, 99, 10_000])
def test_a_batch_id_returns_its_seed_and_size(size: int) -> None:
    batch_id = make_batch_id(SEED, size)

    assert read_batch_id(batch_id) == (SEED, size)
    assert len(batch_id) != TOKEN_LENGTH  # so that a search for tokens in logs doesn't find it
    assert batch_id == Batch(body_hash="", seed=SEED, created_at=NOW, size=size).batch_id


def test_two_batches_have_no_common_link() -> None:
    ids = {batch_link_id(seed, index) for seed in (SEED, SEED[::-1]) for index in range(500)}

    assert len(ids) == 1000


@pytest.mark.parametrize(
    "text", ["", "bat_", make_batch_id(SEED, 1)[:-1], make_batch_id(SEED, 1) + "\n", "x" * 36]
)
def test_other_strings_are_not_batch_ids(text: str) -> None:
    assert read_batch_id(text) is None
