"""Tests of the zip and the template."""
