"""The operator's console; importing a module registers its models."""

from campaigns.admin import campaign, notice, run, sender, templates  # noqa: F401
