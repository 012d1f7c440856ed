"""A paper's file as checked records."""
