"""Sensitivity studies: what other readings of what a paper leaves open would have given."""
