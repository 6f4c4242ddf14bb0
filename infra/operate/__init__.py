"""Operate a stage: API keys, signing keys, redrives."""
