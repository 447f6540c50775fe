"""The menu at the side: what this user may open, in four groups."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from config.web.access import may_open


@dataclass(frozen=True, slots=True)
class Item:
    title: str | Promise
    url: str
    is_here: bool
    key: str
    """What is pressed after `g` to go there; empty for most."""


_KEYS = {"campaigns:campaign_list": "c", "campaigns:delivery_list": "l"}

# Group, then the title of each item and the name of its URL.
_MENU: tuple[tuple[str | Promise, tuple[tuple[str | Promise, str], ...]], ...] = (
    (
        _("Send"),
        (
            (_("Campaigns"), "campaigns:campaign_list"),
            (_("Calendar"), "campaigns:campaign_calendar"),
            (_("Templates"), "campaigns:template_list"),
            (_("Media"), "templates_app:media_list"),
        ),
    ),
    (
        _("People"),
        (
            (_("Recipients"), "recipients:recipient_list"),
            (_("Lists"), "recipients:list_list"),
            (_("Segments"), "recipients:segment_list"),
            (_("Imports"), "recipients:import_list"),
            (_("Exports"), "recipients:export_list"),
            (_("Suppression"), "recipients:suppression_list"),
        ),
    ),
    (
        _("Understand"),
        (
            (_("Reports"), "campaigns:report_comparison"),
            (_("Ledger"), "campaigns:delivery_list"),
        ),
    ),
    (
        pgettext_lazy("menu", "Run"),
        (
            (_("Health"), "health"),
            (_("Users"), "accounts:user_list"),
            (_("API keys"), "accounts:key_list"),
            (_("Audit log"), "accounts:audit_list"),
            (_("Transports"), "campaigns:transport_list"),
            (_("Senders"), "campaigns:sender_list"),
            (_("Webhooks"), "campaigns:webhook_list"),
        ),
    ),
)


def menu(request: HttpRequest) -> dict[str, Any]:
    """Give each page the menu (a context processor; it is worked out where it is shown)."""
    return {"menu": lambda: _groups(request), "may_use_console": lambda: _may_use_console(request)}


def _groups(request: HttpRequest) -> list[tuple[str | Promise, list[Item]]]:
    here = _here(request.path)
    groups = [
        (title, [_item(name, page, here) for name, page in items if may_open(request.user, page)])
        for title, items in _MENU
    ]
    return [(title, items) for title, items in groups if items]


def _item(title: str | Promise, page: str, here: str) -> Item:
    url = reverse(page)
    return Item(title, url, is_here=url == here, key=_KEYS.get(page, ""))


def _here(path: str) -> str:
    """Return the address of the item that a page belongs to: the longest that it begins with."""
    urls = (reverse(page) for _title, items in _MENU for _name, page in items)
    return max((url for url in urls if path.startswith(url)), key=len, default="")


def _may_use_console(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return bool(user and user.is_active and user.is_staff)
