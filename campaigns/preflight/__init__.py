"""What is looked at before a campaign is sent: errors block it, warnings ask, advice says."""
