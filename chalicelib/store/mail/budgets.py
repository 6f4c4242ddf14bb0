"""Store email budgets: the emails counted against each, never more than its limit (P15)."""

from datetime import datetime, timedelta
from typing import Final

from pynamodb.expressions.condition import size
from pynamodb.expressions.operand import Path

from chalicelib.domain.causes import Cause
from chalicelib.domain.mail.budgets import counted_as
from chalicelib.domain.mail.mails import MAILER, MailId
from chalicelib.store.causes import audit_actions
from chalicelib.store.items import MailBudgetItem, mail_budget_key, purge_seconds
from chalicelib.store.table import Table

_KEPT: Final = timedelta(days=2)  # the day itself, and one more in case clocks differ


class MailBudgets:
    """Writes of budgets."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take(self, budget: str, mail_id: MailId, limit: int, *, now: datetime) -> bool:
        """Count an email against a budget, and return whether it is within the limit.

        The item lists the emails it counted, so an email counts once, however often it is retried (P6).
        """
        if limit < 1:
            return False
        mail, mails = counted_as(mail_id), MailBudgetItem.mails
        count = size(Path("mails"))  # type: ignore[no-untyped-call]
        has_room = mails.does_not_exist() | (count < limit) | mails.contains(mail)
        actions = [
            mails.add({mail}),
            Path("purgeAt").set(purge_seconds(now, _KEPT)),
            *audit_actions(Cause(MAILER, mail_id.event_id)),
        ]
        return self._table.change(mail_budget_key(budget), actions, has_room)
