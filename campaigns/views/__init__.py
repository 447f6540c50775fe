"""The pages of campaigns: those that recipients open, and those that staff work with."""
