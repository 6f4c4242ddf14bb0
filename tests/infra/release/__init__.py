"""Tests of releases: their builds, their steps, and what they may not change."""
