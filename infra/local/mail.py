"""The local SES: verify the address that sends email on a developer's machine."""

from typing import Any, Final

from infra.local.aws import local_client

LOCAL_SENDER: Final = "bookings@admit-one.example"


def verify_sender(endpoint_url: str) -> None:
    """Verify `LOCAL_SENDER` with the local SES, so that SES accepts emails from this address."""
    client: Any = local_client("sesv2", endpoint_url)
    known = {identity["IdentityName"] for identity in client.list_email_identities()["EmailIdentities"]}
    if LOCAL_SENDER not in known:
        client.create_email_identity(EmailIdentity=LOCAL_SENDER)
