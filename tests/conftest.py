"""Fixtures for all tests, and what Hypothesis holds them to."""

from hypothesis import HealthCheck, settings

from tests.engines import (
    dynoxide,
    engine,
    ministack,
    no_real_aws,
    nothing_left_in_the_environment,
    own_environment,
    patient_clients,
    table,
)
from tests.event_schemas import every_event_fits_its_schema, outbox_faults

# No example has a time limit, and no machine is too slow: a busy one would fail tests that are right.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")

__all__ = [
    "dynoxide",
    "engine",
    "every_event_fits_its_schema",
    "ministack",
    "no_real_aws",
    "nothing_left_in_the_environment",
    "outbox_faults",
    "own_environment",
    "patient_clients",
    "table",
]
