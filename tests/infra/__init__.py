"""Tests of the template, the package and the deployment."""
