from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrackingConfig(AppConfig):
    name = "tracking"
    verbose_name = _("Tracking")

    def ready(self) -> None:
        # Here, because they need models.
        from recipients.importing import undoing
        from tracking import imports, privacy  # noqa: F401 - the latter registers itself
        from tracking.segment_rules import register_rules
        from tracking.webhooks import storing  # noqa: F401 - Anymail's signal finds it

        undoing.obstacles.append(imports.sent_to_its_recipients)
        register_rules()
