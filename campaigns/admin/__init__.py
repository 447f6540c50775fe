"""The operator's console; importing a module registers its models."""

from campaigns.admin import campaign, run, sender  # noqa: F401
