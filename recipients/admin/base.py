"""What the console's pages have in common."""

# unfold has no type hints:
# mypy: allow-subclassing-any
from typing import Any

from django.core.paginator import EmptyPage
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.paginator import InfinitePaginator

from recipients.addresses import BadAddress, parse_address

MOST_PAGES = 200


class Narrowed:
    """Of a model that not everybody sees all of, the rows that this user sees; so for choices."""

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        rows: Any = super().get_queryset(request)  # type: ignore[misc]
        shown: QuerySet[Any] = rows.visible_to(request.user)
        return shown

    def get_field_queryset(self, db: Any, db_field: Any, request: HttpRequest) -> Any:
        """Return what a foreign key or a many-to-many field offers."""
        offered = super().get_field_queryset(db, db_field, request)  # type: ignore[misc]
        everything = db_field.remote_field.model.objects.all()
        if not hasattr(everything, "visible_to"):
            return offered
        return (everything if offered is None else offered).visible_to(request.user)


class NarrowedAdmin(Narrowed, ModelAdmin):
    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Lead to the audit log, which knows also what was not done here, who may look at it."""
        if not request.user.has_perm("accounts.view_auditentry"):
            shown: HttpResponse = super().history_view(request, object_id, extra_context)
            return shown
        query = urlencode({"kind": self.opts.label_lower, "id": object_id})
        return HttpResponseRedirect(f"{reverse('accounts:audit_list')}?{query}")


class NarrowedInline(Narrowed, TabularInline):
    pass


class FewPages(InfinitePaginator):
    """The newest pages: each reads all rows before it, and who looks for one row asks for it."""

    def validate_number(self, number: Any) -> int:
        if (valid := int(super().validate_number(number))) > MOST_PAGES:
            raise EmptyPage(
                f"only the newest {MOST_PAGES} pages are shown; search for what you need"
            )
        return valid


class ManyRowsAdmin(ModelAdmin):
    """A list that may have millions of rows: nothing is counted, and it is sorted by its key."""

    paginator = FewPages
    show_full_result_count = False
    list_disable_select_all = True
    list_per_page = 50
    sortable_by = ()


def state_tag(state: str, word: str) -> SafeString:
    """Show a state as a word; the style sheet adds shape and colour."""
    return format_html('<span class="state" data-state="{}">{}</span>', state, word)


def link_to_recipients(of: str, pk: int) -> SafeString:
    """Link to the recipients of a list, a tag or a segment."""
    url = reverse("recipients:recipient_list")
    return format_html('<a href="{}?{}={}">{}</a>', url, of, pk, _("Show"))


def link_to_page(name: str, pk: int) -> SafeString:
    """Link to the page of staff's that a thing has; the console only shows what is stored."""
    url = reverse(name, args=[pk])
    return format_html('<a href="{}">{}</a>', url, _("Open it where it is worked with"))


def find_key(queryset: "QuerySet[Any]", term: str) -> "QuerySet[Any]":
    """Find a whole address by the unique index of its key, anything else by looking at each row."""
    try:
        return queryset.filter(key=parse_address(term).key)
    except BadAddress:
        return queryset.filter(key__contains=term.strip().lower())
