"""The pages of this app: those of staff, and those by which people subscribe (`public`)."""
