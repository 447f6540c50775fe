from django.apps import AppConfig


class RecipientsConfig(AppConfig):
    name = "recipients"
    verbose_name = "Recipients"

    def ready(self) -> None:
        from recipients import checks  # noqa: F401 - registers them
