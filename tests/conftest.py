"""Fixtures for all tests."""

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
