"""The papers' figures, redrawn from what was measured, and the pictures of our own."""
