"""Emails to SES's mailbox simulator, whose addresses accept, bounce or complain."""

from collections.abc import Iterator
from typing import Final

from tests.acceptance.meter import EMAIL
from tests.acceptance.run import Run, SkippedError

# AWS, "Using the Amazon SES mailbox simulator".
_SIMULATOR: Final = {
    "success": ("mail.sent", None),
    "bounce": ("mail.sent", "mail.bounced"),
    "complaint": ("mail.sent", "mail.complained"),
}


def mail(run: Run) -> Iterator[str]:
    """Email a link to each of the simulator's addresses, and wait for what the link's history says."""
    if not run.target.parameters.get("MailSender"):
        raise SkippedError("this stage has no MailSender")
    event_type = run.event_type(run.host())
    feedback = "SES feedback" not in run.target.cannot
    for name, (sent, then) in _SIMULATOR.items():
        # With a label, runs on one day don't share the daily limit of a recipient.
        address = {"email": f"{name}+{run.state.run}@simulator.amazonses.com"}
        [link] = run.make_links(event_type, recipient=address)
        run.meter.add(EMAIL)
        run.team("POST", f"/v1/links/{link.link_id}/send", {})
        wanted = {sent, *([then] if then and feedback else [])}

        def has_all(link_id: str = link.link_id, wanted: set[str] = wanted) -> bool:
            return wanted <= {
                each["type"] for each in run.team("GET", f"/v1/links/{link_id}/history")["history"]
            }

        run.wait_until(has_all)
        yield f"{name}: {', '.join(sorted(wanted))}"
    if not feedback:
        yield f"bounces and complaints: skipped: {run.target.cannot['SES feedback']}"
