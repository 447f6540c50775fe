"""Pictures of what a version looks like, taken by a browser in the background."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from templates_app.models.templates import TemplateVersion


class ScreenshotView(models.TextChoices):
    DESKTOP = "desktop", _("Desktop")
    MOBILE = "mobile", _("Mobile")
    DARK = "dark", _("Desktop, dark")


class Screenshot(models.Model):
    """One picture, shown to staff."""

    version = models.ForeignKey(
        TemplateVersion, on_delete=models.CASCADE, related_name="screenshots", db_index=False
    )
    language = models.CharField(max_length=35, blank=True)
    view = models.CharField(max_length=7, choices=ScreenshotView)
    is_waiting = models.BooleanField(default=True)
    png = models.BinaryField(null=True)
    problem = models.CharField(max_length=300, blank=True)
    asked_at = models.DateTimeField()

    class Meta:
        verbose_name = _("screenshot")
        verbose_name_plural = _("screenshots")
        constraints = [
            models.UniqueConstraint(
                fields=["version", "language", "view"], name="screenshot_view_unique"
            ),
            models.CheckConstraint(
                condition=Q(view__in=ScreenshotView.values), name="screenshot_view_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version}, {self.get_view_display()}"
