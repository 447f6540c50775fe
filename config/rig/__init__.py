"""What measurements and drills have in common: a place of their own, people, a message."""
