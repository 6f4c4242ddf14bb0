"""What an operator runs on a stage: API keys, signing keys, restores, redrives."""
