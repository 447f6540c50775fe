"""The pages of reports: of a run, of a campaign, of several, of a list and of a recipient."""
