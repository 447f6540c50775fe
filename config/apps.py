from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Godwit"

    def ready(self) -> None:
        # Registers the checks, and makes the Celery application current, so that every process
        # of Django's can send tasks.
        from config import celery, checks  # noqa: F401
