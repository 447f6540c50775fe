"""What is sent: templates that authors edit, and the frozen versions that campaigns send."""

from django.db import models


class EmailTemplate(models.Model):
    name = models.CharField(max_length=200)
    subject = models.CharField(max_length=500)
    html = models.TextField("HTML", blank=True)
    text = models.TextField(
        blank=True, help_text="Left empty, the text part is made from the HTML."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name"], name="email_template_name_unique"),
            models.CheckConstraint(
                condition=~models.Q(html="") | ~models.Q(text=""), name="email_template_has_body"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """The content of a template at one moment. Never changed: a run sends what was checked."""

    template = models.ForeignKey(
        EmailTemplate, on_delete=models.PROTECT, related_name="versions", db_index=False
    )
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)  # SHA-256 of the content, in hexadecimal
    subject = models.CharField(max_length=500)
    html = models.TextField("HTML", blank=True)
    text = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["template", "number"], name="template_version_number_unique"
            ),
            models.UniqueConstraint(
                fields=["template", "digest"], name="template_version_digest_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} v{self.number}"
