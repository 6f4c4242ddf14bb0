"""One CloudWatch alarm, as a CloudFormation resource."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PERIOD_SECONDS: Final = 300

# How an alarm treats a period without data. A metric that exists only while something is wrong is silent if all is
# well. A metric that something writes every minute is silent only if that something stands still.
SILENCE_IS_GOOD: Final = "notBreaching"
SILENCE_IS_BAD: Final = "breaching"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm. `statistic` may be a percentile.

    It goes off if `datapoints` of the last `periods` (default: all of them) are above `above`, or below `below`.
    CloudWatch emails the description. It consists of `what`, the event and its meaning; `to_do`, the next step; and
    `heading`, the section of docs/operate.md to read.
    """

    name: str
    what: str
    to_do: str
    heading: str
    namespace: Any
    metric: str
    statistic: str
    above: Any = None
    below: Any = None
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    period_seconds: int = PERIOD_SECONDS
    periods: int = 1
    datapoints: int | None = None
    missing: str = SILENCE_IS_GOOD

    def resource(self) -> dict[str, Any]:
        """Return the alarm as a CloudFormation resource."""
        statistic = (
            {"ExtendedStatistic": self.statistic}
            if re.match(r"p\d", self.statistic)
            else {"Statistic": self.statistic}
        )
        threshold = (
            {"ComparisonOperator": "LessThanThreshold", "Threshold": self.below}
            if self.above is None
            else {"ComparisonOperator": "GreaterThanThreshold", "Threshold": self.above}
        )
        properties: dict[str, Any] = {
            "AlarmDescription": f'{self.what} {self.to_do} See docs/operate.md, "{self.heading}".',
            "Namespace": self.namespace,
            "MetricName": self.metric,
            **statistic,
            "Period": self.period_seconds,
            "EvaluationPeriods": self.periods,
            **threshold,
            "TreatMissingData": self.missing,
            "AlarmActions": [{"Ref": "AlarmTopic"}],
            "OKActions": [{"Ref": "AlarmTopic"}],
        }
        if self.datapoints is not None:
            properties["DatapointsToAlarm"] = self.datapoints
        if self.dimensions:
            properties["Dimensions"] = [
                {"Name": name, "Value": value} for name, value in self.dimensions.items()
            ]
        return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}
