"""The HTTP API: which endpoints there are, who may ask for what, and what all of them share."""
