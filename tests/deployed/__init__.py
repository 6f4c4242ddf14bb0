"""Tests of the packaged stack, deployed through CloudFormation into ministack."""
