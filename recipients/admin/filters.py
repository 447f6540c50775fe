"""By what the console filters recipients."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recipients.finding import is_suppressed
from recipients.models import MailingList, Segment, Tag, Tagging
from recipients.segments.asking import those
from recipients.segments.grammar import BadRules


class _ByOne(SimpleListFilter):
    """Those of one of something of which there are few; of one that is gone there is nobody."""

    model: type[MailingList | Tag | Segment]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = self._shown(request).order_by("name").values_list("pk", "name")
        return [(str(pk), name) for pk, name in names]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        pk = self.value() or ""
        if not pk.isdecimal():
            return queryset
        chosen = self._shown(request).filter(pk=pk).first()
        return self.of(chosen, request, queryset) if chosen else queryset.none()

    def of(self, chosen: Any, request: HttpRequest, queryset: Any) -> Any:
        raise NotImplementedError

    def _shown(self, request: HttpRequest) -> Any:
        rows: Any = self.model.objects.all()
        return rows.visible_to(request.user) if hasattr(rows, "visible_to") else rows


class OnListFilter(_ByOne):
    title = gettext_lazy("list")
    parameter_name = "list"
    model = MailingList

    def of(self, chosen: MailingList, request: HttpRequest, queryset: Any) -> Any:
        return queryset.subscribed_to(chosen)


class TagFilter(_ByOne):
    title = gettext_lazy("tag")
    parameter_name = "tag"
    model = Tag

    def of(self, chosen: Tag, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(Exists(Tagging.objects.filter(recipient=OuterRef("pk"), tag=chosen)))


class SegmentFilter(_ByOne):
    title = gettext_lazy("segment")
    parameter_name = "segment"
    model = Segment

    def of(self, chosen: Segment, request: HttpRequest, queryset: Any) -> Any:
        try:
            return queryset.filter(pk__in=those(chosen.rules, now=timezone.now()))
        except BadRules as error:
            messages.error(request, f"{chosen}: {error}.")
            return queryset.none()


class SuppressedFilter(SimpleListFilter):
    title = gettext_lazy("suppression")
    parameter_name = "suppressed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("Suppressed")), ("no", _("May be mailed"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "yes":
            return queryset.filter(is_suppressed())
        return queryset.not_suppressed() if self.value() == "no" else queryset
