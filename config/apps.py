import gc

from django.apps import AppConfig

# Until all is imported: what a process has made by then, it keeps, and to look through it again
# and again takes a seventh of the time until it works.
gc.disable()


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Godwit"

    def ready(self) -> None:
        # Registers the checks, and makes the Celery application current, so that every process
        # of Django's can send tasks.
        from config import celery, checks, telemetry  # noqa: F401

        telemetry.start()

        gc.freeze()
        gc.enable()
