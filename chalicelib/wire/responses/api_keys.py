"""A new admin key, as `make_admin` returns it."""

from chalicelib.wire.responses.answer import Answer


class AdminKeyAnswer(Answer, frozen=True):
    """A new admin key. `api_key` is in no other response, and the table has only its SHA-256."""

    key_id: str
    api_key: str
    console_url: str
    """The page to enter the key on."""
