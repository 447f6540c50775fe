"""The people who work with an installation: how they sign in, what they may do."""
