"""What programs ask of recipients by HTTP, and what the endpoints of all apps have in common."""
