"""The mail catcher: takes every message over SMTP, sends none on, and shows the last ones."""
