"""What was found, as pages and pictures."""
