"""Leave room for API calls in a small Lambda quota: background work may use half of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.stack.account import Account

_MAPPING: Final = "AWS::Lambda::EventSourceMapping"
_MIN_QUEUE: Final = 2  # Lambda accepts no lower MaximumConcurrency
_MIN_STREAM: Final = 1


@dataclass(frozen=True)
class LambdaQuota:
    """The account's concurrent executions in this region, and those that no function has reserved."""

    executions: int
    unreserved: int

    @property
    def background(self) -> int:
        """How many executions background work may use."""
        return self.unreserved // 2


def read_quota(account: Account) -> LambdaQuota | None:
    """Return the account's quota, or None if the credentials may not read it."""
    try:
        limit = account.client("lambda").get_account_settings()["AccountLimit"]
    except ClientError as error:
        if "AccessDenied" in error.response["Error"]["Code"]:
            return None
        raise
    return LambdaQuota(limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"])


def background_concurrency(template: Mapping[str, Any]) -> int:
    """Return how many executions queues and the stream use at most, for a stream with one shard."""
    return sum(_limits(template).values())


def with_limited_concurrency(template: Mapping[str, Any], quota: LambdaQuota | None) -> dict[str, Any]:
    """Return the template with a concurrency that leaves half of the quota to callers, as far as Lambda accepts it.

    The mapping with the highest limit is lowered first: webhook deliveries, which can wait. A later deployment in an
    account with a higher quota raises the limits again.
    """
    limits = _limits(template)
    least = {name: _MIN_STREAM if _is_stream(template, name) else _MIN_QUEUE for name in limits}
    while quota and sum(limits.values()) > quota.background:
        highest = max(limits, key=lambda name: (limits[name] - least[name], limits[name], name))
        if limits[highest] <= least[highest]:
            break
        limits[highest] -= 1
    whole: dict[str, Any] = json.loads(json.dumps(template))
    for name, limit in limits.items():
        properties = whole["Resources"][name]["Properties"]
        if _is_stream(template, name):
            properties["ParallelizationFactor"] = limit
        else:
            properties["ScalingConfig"]["MaximumConcurrency"] = limit
    return whole


def _limits(template: Mapping[str, Any]) -> dict[str, int]:
    """Return the concurrency of each mapping: a queue's limit, or the batches of a stream's shard at a time."""
    limits = {}
    for name, each in template["Resources"].items():
        if each["Type"] == _MAPPING:
            queue = each["Properties"].get("ScalingConfig", {}).get("MaximumConcurrency")
            limits[name] = queue or each["Properties"]["ParallelizationFactor"]
    return limits


def _is_stream(template: Mapping[str, Any], name: str) -> bool:
    return "ParallelizationFactor" in template["Resources"][name]["Properties"]
