"""The pages of templates: they stand here because they show what recipients and senders make."""

from campaigns.admin.templates import editor  # noqa: F401
