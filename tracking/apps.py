from django.apps import AppConfig


class TrackingConfig(AppConfig):
    name = "tracking"
    verbose_name = "Tracking"

    def ready(self) -> None:
        # Here, because they need models.
        from recipients.importing import undoing
        from tracking import imports, privacy  # noqa: F401 - the latter registers itself
        from tracking.segment_rules import register_rules
        from tracking.webhooks import storing  # noqa: F401 - Anymail's signal finds it

        undoing.obstacles.append(imports.sent_to_its_recipients)
        register_rules()
