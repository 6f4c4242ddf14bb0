"""Publish a release: regional buckets from which the AWS console installs a stack, without a clone."""
