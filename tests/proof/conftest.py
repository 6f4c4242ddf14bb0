"""Fixtures of the proof: engines, app processes, and a new stage for each test."""

from tests.support.proof.fixtures import apps, dynamodb, dynoxide_on_disk, proof_engine, stage

__all__ = ["apps", "dynamodb", "dynoxide_on_disk", "proof_engine", "stage"]
