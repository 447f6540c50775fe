"""What unfold's console looks like; `settings.UNFOLD` names these functions."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

# Group, then title, icon and model of each item.
_SIDEBAR = (
    (
        _("Send"),
        (
            (_("Campaigns"), "campaign", "campaigns.campaign"),
            (_("Runs"), "flight_takeoff", "campaigns.run"),
            (_("Templates"), "article", "templates_app.emailtemplate"),
            (_("Snippets"), "extension", "templates_app.snippet"),
            (_("Layouts"), "dashboard", "templates_app.layout"),
            (_("Frozen versions"), "ac_unit", "templates_app.templateversion"),
            (_("Media"), "perm_media", "templates_app.mediafile"),
        ),
    ),
    (
        _("People"),
        (
            (_("Recipients"), "person", "recipients.recipient"),
            (_("Lists"), "list_alt", "recipients.mailinglist"),
            (_("Imports"), "upload_file", "recipients.import"),
            (_("Segments"), "filter_alt", "recipients.segment"),
            (_("Tags"), "sell", "recipients.tag"),
            (_("Fields"), "label", "recipients.field"),
            (_("Sign-up forms"), "contact_mail", "recipients.signupform"),
            (_("Messages of ours"), "mark_email_unread", "recipients.notice"),
            (_("Suppression"), "block", "recipients.suppression"),
            (_("Exports"), "download", "recipients.export"),
        ),
    ),
    (
        _("Understand"),
        (
            (_("Deliveries"), "mark_email_read", "tracking.delivery"),
            (_("Messages that came in"), "inbox", "tracking.inboundmessage"),
            (_("Mailboxes of bounces"), "markunread_mailbox", "tracking.mailbox"),
            (_("Events of providers"), "webhook", "tracking.webhookevent"),
            (_("Task results"), "task_alt", "django_celery_results.taskresult"),
        ),
    ),
    (
        pgettext_lazy("menu", "Run"),
        (
            (_("Senders"), "alternate_email", "campaigns.sender"),
            (_("Transports"), "outbox", "campaigns.transport"),
            (_("DKIM keys"), "key", "campaigns.dkimkey"),
            (_("Limits of domains"), "speed", "campaigns.domainlimit"),
            (_("Groups of domains"), "hub", "campaigns.domaingroup"),
            (_("Periodic tasks"), "schedule", "django_celery_beat.periodictask"),
            (_("Users"), "group", "auth.user"),
            (_("Groups"), "groups", "auth.group"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar's groups, with what this user may see."""
    start = {
        "title": _("Start"),
        "icon": "home",
        "link": reverse("campaigns:dashboard"),
        "active": False,
    }
    groups = [{"title": title, "items": _items(items, request)} for title, items in _SIDEBAR]
    return [{"items": [start]}, *(group for group in groups if group["items"])]


def logo(_request: HttpRequest) -> str:
    return static("godwit/logo.svg")


def states_css(_request: HttpRequest) -> str:
    return static("godwit/states.css")


def admin_css(_request: HttpRequest) -> str:
    return static("godwit/admin.css")


def _items(
    items: tuple[tuple[str | Promise, str, str], ...], request: HttpRequest
) -> list[dict[str, Any]]:
    return [
        {"title": title, "icon": icon, "link": _changelist(model)}
        for title, icon, model in items
        if _may_see(model, request)
    ]


def _may_see(model: str, request: HttpRequest) -> bool:
    app, name = model.split(".")
    user = request.user
    return user.has_perm(f"{app}.view_{name}") or user.has_perm(f"{app}.change_{name}")


def _changelist(model: str) -> str:
    return reverse(f"admin:{model.replace('.', '_')}_changelist")
