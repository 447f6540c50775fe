"""The pages of templates: they stand here because they show what recipients and senders make."""
