"""Fixtures for all tests, and Hypothesis's settings."""

from hypothesis import HealthCheck, settings

from tests.support.aws.clients import cached_botocore_sessions
from tests.support.aws.engines import (
    dynoxide,
    engine,
    ministack,
    no_real_aws,
    nothing_left_in_the_environment,
    own_environment,
    patient_clients,
    table,
    table_engine,
)
from tests.support.collection import pytest_collection
from tests.support.event_schemas import every_event_fits_its_schema, outbox_faults
from tests.support.schedule import pytest_collection_modifyitems, pytest_xdist_make_scheduler

# No example has a time limit, because a busy machine would fail correct tests.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")

__all__ = [
    "cached_botocore_sessions",
    "dynoxide",
    "engine",
    "every_event_fits_its_schema",
    "ministack",
    "no_real_aws",
    "nothing_left_in_the_environment",
    "outbox_faults",
    "own_environment",
    "patient_clients",
    "pytest_collection",
    "pytest_collection_modifyitems",
    "pytest_xdist_make_scheduler",
    "table",
    "table_engine",
]
