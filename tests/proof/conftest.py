"""Fixtures of the proof: engines, app processes, and a fresh stage for every test."""

from tests.support.proof.fixtures import apps, dynamodb, dynoxide_on_disk, proof_engine, stage

__all__ = ["apps", "dynamodb", "dynoxide_on_disk", "proof_engine", "stage"]
