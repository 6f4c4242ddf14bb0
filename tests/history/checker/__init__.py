"""Check whether a history is linearizable, and shrink one that is not."""
