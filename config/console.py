"""What unfold's console looks like; `settings.UNFOLD` names these functions."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

# Group, then title, icon and model of each item.
_SIDEBAR = (
    (
        "Send",
        (
            ("Campaigns", "campaign", "campaigns.campaign"),
            ("Runs", "flight_takeoff", "campaigns.run"),
            ("Templates", "article", "templates_app.emailtemplate"),
            ("Snippets", "extension", "templates_app.snippet"),
            ("Layouts", "dashboard", "templates_app.layout"),
            ("Frozen versions", "ac_unit", "templates_app.templateversion"),
            ("Media", "perm_media", "templates_app.mediafile"),
        ),
    ),
    (
        "People",
        (
            ("Recipients", "person", "recipients.recipient"),
            ("Lists", "list_alt", "recipients.mailinglist"),
            ("Imports", "upload_file", "recipients.import"),
            ("Segments", "filter_alt", "recipients.segment"),
            ("Tags", "sell", "recipients.tag"),
            ("Fields", "label", "recipients.field"),
            ("Sign-up forms", "contact_mail", "recipients.signupform"),
            ("Messages of ours", "mark_email_unread", "recipients.notice"),
            ("Suppression", "block", "recipients.suppression"),
            ("Exports", "download", "recipients.export"),
        ),
    ),
    (
        "Understand",
        (
            ("Deliveries", "mark_email_read", "tracking.delivery"),
            ("Messages that came in", "inbox", "tracking.inboundmessage"),
            ("Mailboxes of bounces", "markunread_mailbox", "tracking.mailbox"),
            ("Events of providers", "webhook", "tracking.webhookevent"),
            ("Task results", "task_alt", "django_celery_results.taskresult"),
        ),
    ),
    (
        "Run",
        (
            ("Senders", "alternate_email", "campaigns.sender"),
            ("Transports", "outbox", "campaigns.transport"),
            ("DKIM keys", "key", "campaigns.dkimkey"),
            ("Limits of domains", "speed", "campaigns.domainlimit"),
            ("Groups of domains", "hub", "campaigns.domaingroup"),
            ("Periodic tasks", "schedule", "django_celery_beat.periodictask"),
            ("Users", "group", "auth.user"),
            ("Groups", "groups", "auth.group"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar's groups, with what this user may see."""
    start = {
        "title": "Start",
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


def _items(items: tuple[tuple[str, str, str], ...], request: HttpRequest) -> list[dict[str, Any]]:
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
