"""Use cases of webhooks: manage them, fan out events, deliver, retry, replay."""
