"""What the app logged: the sentences, and the fields that CloudWatch gets with them."""

import json

import pytest


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return all log lines since the last `caplog.clear()`, with their fields: where no secret may be (P7)."""
    fields = [vars(record) for record in caplog.records if record.name.startswith("chalicelib")]
    return caplog.text + json.dumps(fields, default=repr)
