"""The console's pages of recipients; each module registers its own."""

from recipients.admin import exports, imports, recipients, segments, signup, suppression  # noqa: F401
