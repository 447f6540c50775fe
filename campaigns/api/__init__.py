"""What programs ask of contents, campaigns, single messages and what became of them by HTTP."""
