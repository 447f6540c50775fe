# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display

from recipients import signup
from recipients.forms.embedding import embeddable, url_of
from recipients.models import SignupForm


@admin.register(SignupForm)
class SignupFormAdmin(ModelAdmin):
    list_display = ("title", "mailing_list", "page", "is_open")
    list_filter = ("is_open", "mailing_list")
    list_select_related = ("mailing_list",)
    search_fields = ("title", "slug")
    ordering = ("title",)
    autocomplete_fields = ("mailing_list", "sender", "fields")
    prepopulated_fields = {"slug": ("title",)}
    readonly_fields = ("page", "snippet")
    fieldsets = (
        (None, {"fields": ("title", "slug", "is_open", "mailing_list", "sender")}),
        (
            gettext_lazy("What it says"),
            {"fields": ("introduction", "wording", "language", "fields")},
        ),
        (gettext_lazy("Welcome"), {"fields": ("welcome_subject", "welcome_text")}),
        (gettext_lazy("Where it is"), {"fields": ("page", "snippet")}),
    )

    def save_related(
        self, request: HttpRequest, form: ModelForm[Any], formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        signup.publish(form.instance)

    @display(description=gettext_lazy("Page"))
    def page(self, form: SignupForm) -> SafeString | str:
        if not form.pk:
            return _("Shown once it is saved")
        return format_html('<a href="{0}">{0}</a>', url_of(form))

    @display(description=gettext_lazy("For other pages"))
    def snippet(self, form: SignupForm) -> SafeString | str:
        """Show the form as HTML to copy; a page that has an earlier copy goes on to work."""
        if not form.pk:
            return _("Shown once it is saved")
        return format_html('<pre class="preview-text"><code>{}</code></pre>', embeddable(form))
