"""Fixtures for all tests."""

from tests.engines import dynoxide, engine, ministack, no_real_aws, table

__all__ = ["dynoxide", "engine", "ministack", "no_real_aws", "table"]
