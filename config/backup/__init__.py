"""A whole installation in one file, and back."""
