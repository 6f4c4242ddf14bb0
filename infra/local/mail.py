"""The local SES: the address that mail comes from on a developer's machine, known to it as verified."""

import json
from collections.abc import Mapping
from typing import Any, Final

from infra.local.aws import local_client

LOCAL_SENDER: Final = "bookings@admit-one.example"


def verify_sender(endpoint_url: str) -> None:
    """Let the local SES take mail from `LOCAL_SENDER`."""
    client: Any = local_client("sesv2", endpoint_url)
    known = {identity["IdentityName"] for identity in client.list_email_identities()["EmailIdentities"]}
    if LOCAL_SENDER not in known:
        client.create_email_identity(EmailIdentity=LOCAL_SENDER)


def with_local_rights(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template with the right to send mail as ministack asks for it: of `*`, and not whose address it is.

    That on AWS it is held to the one address is what the tests of the policies are for.
    """
    whole: dict[str, Any] = json.loads(json.dumps(template))
    for resource in whole["Resources"].values():
        for policy in resource["Properties"].get("Policies", ()) if "Properties" in resource else ():
            for statement in policy.get("PolicyDocument", {}).get("Statement", ()):
                if "ses:SendEmail" in statement["Action"]:
                    statement["Resource"] = "*"
                    statement.pop("Condition", None)
    return whole
