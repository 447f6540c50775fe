"""The operator's console; importing a module registers its models."""

from campaigns.admin import campaign, notice, run, sender  # noqa: F401
