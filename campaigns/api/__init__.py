"""What programs ask of what is sent, by HTTP."""
