"""What the runs say about what is published."""
