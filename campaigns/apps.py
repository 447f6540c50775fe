from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = "Campaigns"

    def ready(self) -> None:
        from campaigns import checks, privacy, tasks  # noqa: F401 - two of them register themselves
        from recipients import notices

        notices.wakers.append(tasks.wake_notices)
