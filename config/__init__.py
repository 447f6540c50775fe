"""Wiring: settings, URLs, the Celery application, embedded servers, the site's shell."""
