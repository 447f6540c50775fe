"""What providers tell of messages: taken in as Anymail reads it, stored first, worked off later."""
