"""What is sent: templates that authors edit, and the frozen versions that campaigns send."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _


class Kind(models.TextChoices):
    """What an author writes, and so how it becomes HTML."""

    MJML = "mjml", "MJML"
    HTML = "html", "HTML"
    MARKDOWN = "markdown", "Markdown"
    TEXT = "text", _("plain text")


class Snippet(models.Model):
    """A piece that many templates use, by its name: `{% include "footer" %}`."""

    name = models.SlugField(_("name"), max_length=100)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    source = models.TextField(_("source"))
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("snippet")
        verbose_name_plural = _("snippets")
        constraints = [
            models.UniqueConstraint(fields=["name"], name="snippet_name_unique"),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="snippet_kind_known"),
        ]

    def __str__(self) -> str:
        return self.name


class Layout(models.Model):
    """What stands around the text of Markdown templates; `{{ content }}` is its place in it."""

    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(
        _("kind"),
        max_length=8,
        choices=[(Kind.MJML, "MJML"), (Kind.HTML, "HTML")],
        default=Kind.MJML,
    )
    source = models.TextField(_("source"))
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("layout")
        verbose_name_plural = _("layouts")
        constraints = [
            models.UniqueConstraint(fields=["name"], name="layout_name_unique"),
            models.CheckConstraint(
                condition=Q(kind__in=[Kind.MJML, Kind.HTML]), name="layout_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Source(models.Model):
    """What an author writes for the readers of one language."""

    subject = models.CharField(_("subject"), max_length=500)
    preheader = models.CharField(
        _("preheader"),
        max_length=300,
        blank=True,
        help_text=_("What an inbox shows behind the subject; hidden in the message itself."),
    )
    source = models.TextField(_("source"))
    text = models.TextField(
        _("text part"), blank=True, help_text=_("Left empty, the text part is made from the HTML.")
    )

    class Meta:
        abstract = True


class EmailTemplate(Source):
    name = models.CharField(_("name"), max_length=200)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind, default=Kind.MJML)
    layout = models.ForeignKey(
        Layout,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="templates",
        help_text=_("For Markdown; without one, a plain letter."),
        verbose_name=_("layout"),
    )
    language = models.CharField(
        _("language"),
        max_length=35,
        blank=True,
        help_text=_(
            "Of this text, such as de or pt-BR. Readers of a language without a variant of its own "
            "get this one."
        ),
    )
    link_parameters = models.CharField(
        _("link parameters"),
        max_length=500,
        blank=True,
        help_text=_(
            "Added to each link to a web page, such as utm_source=newsletter&utm_medium=email"
        ),
    )
    # Whether its HTML is kept exactly as written; chosen by somebody who may write such HTML.
    is_raw = models.BooleanField(_("is raw"), default=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("email template")
        verbose_name_plural = _("email templates")
        constraints = [
            models.UniqueConstraint(fields=["name"], name="email_template_name_unique"),
            models.CheckConstraint(
                condition=Q(kind__in=Kind.values), name="email_template_kind_known"
            ),
            models.CheckConstraint(condition=~Q(source=""), name="email_template_has_source"),
            models.CheckConstraint(
                condition=Q(layout=None) | Q(kind=Kind.MARKDOWN),
                name="email_template_layout_is_for_markdown",
            ),
        ]
        permissions = [("write_raw_html", _("Can write HTML that is not sanitised"))]

    def __str__(self) -> str:
        return self.name


class TemplateVariant(Source):
    """The same template for the readers of another language; of the same kind and layout."""

    template = models.ForeignKey(
        EmailTemplate, on_delete=models.CASCADE, related_name="variants", db_index=False
    )
    language = models.CharField(_("language"), max_length=35)  # BCP 47

    class Meta:
        verbose_name = _("template variant")
        verbose_name_plural = _("template variants")
        constraints = [
            models.UniqueConstraint(
                fields=["template", "language"], name="template_variant_language_unique"
            ),
            models.CheckConstraint(condition=~Q(language=""), name="template_variant_has_language"),
            models.CheckConstraint(condition=~Q(source=""), name="template_variant_has_source"),
        ]

    def __str__(self) -> str:
        return f"{self.template} ({self.language})"


class TemplateDraft(models.Model):
    """What somebody has written and not saved, one for each author; it is sent to nobody."""

    template = models.ForeignKey(  # None: one that was never saved
        EmailTemplate, on_delete=models.CASCADE, null=True, related_name="drafts", db_index=False
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    # The form as a browser sends it, by the names of its fields: also what is not valid is kept.
    typed = models.JSONField()
    base = models.CharField(max_length=64, blank=True)  # fingerprint of what its author had seen
    revision = models.PositiveIntegerField()
    saved_at = models.DateTimeField()

    class Meta:
        verbose_name = _("template draft")
        verbose_name_plural = _("template drafts")
        constraints = [
            models.UniqueConstraint(
                fields=["template", "author"],
                name="template_draft_author_unique",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"draft {self.revision} of {self.template or 'a new template'}"

    def as_post(self) -> QueryDict:
        """Return what a browser sent."""
        post = QueryDict(mutable=True)
        post.update(self.typed)
        return post


class Content(models.Model):
    """What is rendered for each reader of one language: compiled, checked, and never changed."""

    subject = models.CharField(_("subject"), max_length=500)
    html = models.TextField("HTML", blank=True)
    text = models.TextField(_("text"), blank=True)
    # The targets of the links in the HTML, as they stand in it, each once and in its order.
    links = models.JSONField(default=list)

    class Meta:
        abstract = True


class TemplateVersion(Content):
    """The content of a template at one moment. Never changed: a run sends what was checked."""

    template = models.ForeignKey(
        # Versions that a campaign has sent, or will send, are protected by the campaign. None: what
        # came with a single message, and belongs to no template.
        EmailTemplate,
        on_delete=models.CASCADE,
        null=True,
        related_name="versions",
        db_index=False,
        verbose_name=_("template"),
    )
    number = models.PositiveIntegerField(_("number"))
    digest = models.CharField(max_length=64)  # SHA-256 of source and contents, in hexadecimal
    language = models.CharField(max_length=35, blank=True)
    # What the author wrote, as `templates_app.drafts` has it, to be compared and restored.
    source = models.JSONField()
    saved_by = models.CharField(_("saved by"), max_length=150, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("template version")
        verbose_name_plural = _("template versions")
        constraints = [
            models.UniqueConstraint(
                fields=["template", "number"], name="template_version_number_unique"
            ),
            models.UniqueConstraint(
                fields=["template", "digest"], name="template_version_digest_unique"
            ),
            # The same content, with other fields, is kept once.
            models.UniqueConstraint(
                fields=["digest"], condition=Q(template=None), name="template_version_inline_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} v{self.number}" if self.template else self.subject

    def contents(self) -> "list[TemplateVersion | VersionVariant]":
        """Return what readers of each language get, the fallback first."""
        return [self, *self.variants.order_by("language")]


class VersionVariant(Content):
    """The content of a version for the readers of one more language."""

    version = models.ForeignKey(
        TemplateVersion, on_delete=models.CASCADE, related_name="variants", db_index=False
    )
    language = models.CharField(max_length=35)

    class Meta:
        verbose_name = _("version variant")
        verbose_name_plural = _("version variants")
        constraints = [
            models.UniqueConstraint(
                fields=["version", "language"], name="version_variant_language_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.version} ({self.language})"
