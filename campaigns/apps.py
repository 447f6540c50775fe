from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Campaigns")

    def ready(self) -> None:
        from campaigns import attachments, checks, privacy, tasks, transactional  # noqa: F401 - two register themselves
        from recipients import notices
        from templates_app.media import usage

        notices.wakers.append(tasks.wake_notices)
        transactional.wakers.append(tasks.wake_message)
        usage.askers.append(attachments.uses)
