"""Operate a stage: API keys, signing keys, restores, redrives."""
