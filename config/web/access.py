"""Who may open what: each page of staff's and the permission it asks for, in one table.

A page that is in no table opens to nobody. What a page shows, and what it acts on, is narrowed
further where its rows are read (`visible_to(user)`).
"""

from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Permission
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.translation import gettext, gettext_lazy

from config.web.keeping import form_kept, may_be_kept

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class Need(NamedTuple):
    """The permissions to look at a page, and to send its form; empty: to be signed in."""

    look: str = ""
    act: str = ""

    def of(self, method: str | None) -> str:
        return self.look if method in SAFE_METHODS else self.act or self.look


# By the name of the URL.
PAGES: dict[str, Need] = {
    "health": Need("campaigns.view_run"),
    "health_now": Need("campaigns.view_run"),
    "campaigns:dashboard": Need(),
    "campaigns:dashboard_now": Need(),
    "campaigns:campaign_list": Need("campaigns.view_campaign"),
    "campaigns:campaign_calendar": Need("campaigns.view_campaign"),
    "campaigns:campaign_new": Need("campaigns.add_campaign"),
    "campaigns:campaign_detail": Need("campaigns.view_campaign"),
    "campaigns:campaign_standing": Need("campaigns.view_campaign"),
    "campaigns:campaign_content": Need("campaigns.view_campaign", "campaigns.change_campaign"),
    "campaigns:campaign_audience": Need("campaigns.view_campaign", "campaigns.change_campaign"),
    "campaigns:campaign_count": Need("campaigns.view_campaign"),
    "campaigns:campaign_schedule": Need("campaigns.view_campaign", "campaigns.change_campaign"),
    "campaigns:campaign_times": Need("campaigns.view_campaign"),
    "campaigns:campaign_check": Need("campaigns.view_campaign", "campaigns.change_campaign"),
    "campaigns:campaign_check_job": Need("campaigns.view_campaign"),
    # An approver approves what they may not change.
    "campaigns:campaign_confirm": Need("campaigns.view_campaign"),
    "campaigns:campaign_withdraw": Need("campaigns.change_campaign"),
    "campaigns:campaign_pause": Need("campaigns.change_campaign"),
    "campaigns:campaign_resume": Need("campaigns.change_campaign"),
    "campaigns:campaign_cancel": Need("campaigns.change_campaign"),
    "campaigns:campaign_copy": Need("campaigns.add_campaign"),
    "campaigns:campaign_delete": Need("campaigns.delete_campaign"),
    "campaigns:campaign_test": Need("campaigns.change_campaign"),
    # Each about who is signed in.
    "accounts:account_show": Need(),
    "accounts:profile_change": Need(),
    # One's own; with a permission those of others as well: the view asks.
    "accounts:key_list": Need(),
    "accounts:key_add": Need(),
    "accounts:key_revoke": Need(),
    "account_reauthenticate": Need(),
    "account_change_password": Need(),
    "console_password_change": Need(),
    "account_set_password": Need(),
    "mfa_index": Need(),
    "mfa_reauthenticate": Need(),
    "mfa_activate_totp": Need(),
    "mfa_deactivate_totp": Need(),
    "mfa_view_recovery_codes": Need(),
    "mfa_generate_recovery_codes": Need(),
    "mfa_download_recovery_codes": Need(),
    "mfa_list_webauthn": Need(),
    "mfa_add_webauthn": Need(),
    "mfa_reauthenticate_webauthn": Need(),
    "mfa_remove_webauthn": Need(),
    "mfa_edit_webauthn": Need(),
    "usersessions_list": Need(),
    "accounts:audit_list": Need("accounts.view_auditentry"),
    "accounts:audit_file": Need("accounts.view_auditentry"),
    "accounts:user_list": Need("auth.view_user"),
    "accounts:user_add": Need("auth.add_user"),
    "accounts:user_change": Need("auth.change_user"),
    "recipients:recipient_list": Need("recipients.view_recipient"),
    "recipients:recipient_add": Need("recipients.add_recipient"),
    "recipients:recipient_bulk": Need("recipients.view_recipient"),
    "recipients:export_list": Need("recipients.export_recipient"),
    "recipients:export_file": Need("recipients.export_recipient"),
    "recipients:duplicate_list": Need("recipients.merge_recipient"),
    "recipients:recipient_detail": Need("recipients.view_recipient"),
    "recipients:recipient_edit": Need("recipients.change_recipient"),
    "recipients:recipient_subscribe": Need("recipients.change_recipient"),
    "recipients:recipient_leave": Need("recipients.change_recipient"),
    "recipients:recipient_suppress": Need("recipients.add_suppression"),
    "recipients:recipient_hand_out": Need("recipients.export_recipient"),
    "recipients:recipient_erase": Need("recipients.erase_recipient"),
    "recipients:recipient_merge": Need("recipients.merge_recipient"),
    "recipients:recipient_consent": Need("recipients.view_consentevent"),
    "recipients:list_list": Need("recipients.view_mailinglist"),
    "recipients:list_add": Need("recipients.add_mailinglist"),
    "recipients:list_detail": Need("recipients.view_mailinglist"),
    "recipients:list_edit": Need("recipients.change_mailinglist"),
    "recipients:signup_add": Need("recipients.add_signupform"),
    "recipients:signup_edit": Need("recipients.change_signupform"),
    "recipients:segment_list": Need("recipients.view_segment"),
    "recipients:segment_add": Need("recipients.add_segment"),
    "recipients:segment_edit": Need("recipients.view_segment", "recipients.change_segment"),
    "recipients:segment_delete": Need("recipients.delete_segment"),
    "recipients:field_list": Need("recipients.view_field"),
    "recipients:field_add": Need("recipients.add_field"),
    "recipients:field_edit": Need("recipients.change_field"),
    "recipients:field_delete": Need("recipients.delete_field"),
    "recipients:tag_list": Need("recipients.view_tag"),
    "recipients:tag_add": Need("recipients.add_tag"),
    "recipients:tag_edit": Need("recipients.change_tag"),
    "recipients:tag_delete": Need("recipients.delete_tag"),
    "recipients:suppression_list": Need("recipients.view_suppression"),
    "recipients:suppression_add": Need("recipients.add_suppression"),
    "recipients:suppression_lift": Need("recipients.delete_suppression"),
    "recipients:import_list": Need("recipients.view_import"),
    "recipients:import_add": Need("recipients.add_import"),
    "recipients:import_detail": Need("recipients.view_import", "recipients.change_import"),
    "recipients:import_now": Need("recipients.view_import"),
    "recipients:import_columns": Need("recipients.change_import"),
    "recipients:import_undo": Need("recipients.change_import"),
    "recipients:import_rejected": Need("recipients.change_import"),
    "campaigns:run_detail": Need("campaigns.view_run"),
    "campaigns:run_now": Need("campaigns.view_run"),
    "campaigns:run_doubts": Need("tracking.view_delivery", "tracking.change_delivery"),
    "campaigns:delivery_list": Need("tracking.view_delivery"),
    "campaigns:delivery_detail": Need("tracking.view_delivery"),
    # And who may export recipients: the view asks.
    "campaigns:delivery_export": Need("tracking.view_delivery"),
    "campaigns:campaign_report": Need("campaigns.view_campaign"),
    "campaigns:campaign_report_links": Need("campaigns.view_campaign"),
    "campaigns:campaign_report_domains": Need("campaigns.view_campaign"),
    "campaigns:campaign_report_failures": Need("campaigns.view_campaign"),
    "campaigns:run_report": Need("campaigns.view_run"),
    "campaigns:run_report_links": Need("campaigns.view_run"),
    "campaigns:run_report_map": Need("campaigns.view_run"),
    "campaigns:run_report_domains": Need("campaigns.view_run"),
    "campaigns:run_report_failures": Need("campaigns.view_run"),
    # And who may see recipients: the view asks.
    "campaigns:run_report_people": Need("campaigns.view_run"),
    "campaigns:report_comparison": Need("campaigns.view_campaign"),
    "campaigns:report_summaries": Need("campaigns.view_run"),
    "campaigns:list_growth": Need("recipients.view_mailinglist"),
    "campaigns:recipient_history": Need("recipients.view_recipient"),
    "campaigns:transport_list": Need("campaigns.view_transport"),
    "campaigns:transport_new": Need("campaigns.add_transport"),
    "campaigns:transport_detail": Need("campaigns.view_transport", "campaigns.change_transport"),
    "campaigns:transport_test": Need("campaigns.change_transport"),
    "campaigns:transport_delete": Need("campaigns.delete_transport"),
    "campaigns:webhook_list": Need("tracking.view_endpoint"),
    "campaigns:webhook_new": Need("tracking.add_endpoint"),
    "campaigns:webhook_detail": Need("tracking.view_endpoint"),
    "campaigns:webhook_edit": Need("tracking.change_endpoint"),
    "campaigns:webhook_secret": Need("tracking.change_endpoint"),
    "campaigns:webhook_test": Need("tracking.change_endpoint"),
    "campaigns:webhook_replay": Need("tracking.change_endpoint"),
    "campaigns:webhook_delete": Need("tracking.delete_endpoint"),
    "campaigns:sender_list": Need("campaigns.view_sender"),
    "campaigns:sender_new": Need("campaigns.add_sender"),
    "campaigns:sender_detail": Need("campaigns.view_sender", "campaigns.change_sender"),
    "campaigns:sender_found": Need("campaigns.view_sender"),
    "campaigns:sender_check": Need("campaigns.change_sender"),
    "campaigns:sender_delete": Need("campaigns.delete_sender"),
    "campaigns:template_list": Need("templates_app.view_emailtemplate"),
    "campaigns:template_blank": Need("templates_app.add_emailtemplate"),
    "campaigns:template_blank_live": Need("templates_app.add_emailtemplate"),
    "campaigns:template_blank_preview": Need("templates_app.add_emailtemplate"),
    # What it shows was held for whoever asks.
    "campaigns:template_frame": Need(),
    "campaigns:template_detail": Need("templates_app.view_emailtemplate"),
    "campaigns:template_delete": Need("templates_app.delete_emailtemplate"),
    "campaigns:template_edit": Need(
        "templates_app.view_emailtemplate", "templates_app.change_emailtemplate"
    ),
    "campaigns:template_blocks": Need(
        "templates_app.view_emailtemplate", "templates_app.change_emailtemplate"
    ),
    "campaigns:template_live": Need("templates_app.change_emailtemplate"),
    # By POST as well: whose values it shows is not for addresses.
    "campaigns:template_preview": Need("templates_app.view_emailtemplate"),
    "campaigns:template_test": Need("campaigns.change_campaign"),
    "campaigns:template_versions": Need("templates_app.view_emailtemplate"),
    "campaigns:template_version": Need("templates_app.view_emailtemplate"),
    "campaigns:template_restore": Need("templates_app.change_emailtemplate"),
    "campaigns:template_pictures": Need(
        "templates_app.view_emailtemplate", "templates_app.change_emailtemplate"
    ),
    "campaigns:template_picture": Need("templates_app.view_emailtemplate"),
    "templates_app:media_list": Need("templates_app.view_mediafile"),
    "templates_app:media_upload": Need("templates_app.add_mediafile"),
    "templates_app:media_detail": Need(
        "templates_app.view_mediafile", "templates_app.change_mediafile"
    ),
    "templates_app:media_delete": Need("templates_app.delete_mediafile"),
    "templates_app:media_download": Need("templates_app.view_mediafile"),
    "templates_app:template_new": Need("templates_app.add_emailtemplate"),
    "templates_app:template_import": Need("templates_app.add_emailtemplate"),
    "templates_app:template_export": Need("templates_app.view_emailtemplate"),
}

# These packages look after their pages themselves.
_LOOKED_AFTER = {"admin"}


class Denied(PermissionDenied):
    """Somebody lacks a permission; `403.html` says which, and who can give it."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"the permission {permission} is missing")
        self.permission = permission


class AccessMiddleware(LoginRequiredMiddleware):
    """Ask everybody to sign in, and refuse a page to who may not open it.

    Public pages (`@login_not_required`) are let pass before the cookie is looked at: Django's own
    middleware looks first, and so has caches keep one copy of a public page for each cookie.
    """

    def process_view(
        self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        if not getattr(view_func, "login_required", True):
            return None
        sign_in = super().process_view(request, view_func, view_args, view_kwargs)
        match = request.resolver_match
        if sign_in and "HX-Request" in request.headers:
            return _signed_out(request)
        if sign_in and may_be_kept(request):
            return form_kept(request, status=HTTPStatus.UNAUTHORIZED)
        if sign_in or match is None or not _LOOKED_AFTER.isdisjoint(match.app_names):
            return sign_in
        require(request.user, match.view_name, request.method)
        return None


def _signed_out(request: HttpRequest) -> HttpResponse:
    """Lead a page to the door; one on which something is being written is left as it is."""
    answer = HttpResponse(status=HTTPStatus.UNAUTHORIZED)
    if request.method in SAFE_METHODS:
        here = urlsplit(request.headers.get("HX-Current-URL", "")).path or "/"
        door = resolve_url(settings.LOGIN_URL)
        answer.headers["HX-Redirect"] = f"{door}?{urlencode({'next': here})}"
    return answer


def may_open(user: AbstractBaseUser | AnonymousUser, page: str, method: str = "GET") -> bool:
    """Whether this user may look at a page, or send its form.

    :param page: the name of its URL.
    """
    need = PAGES[page].of(method)
    return not need or user.has_perm(need)  # type: ignore[union-attr]


def require(user: AbstractBaseUser | AnonymousUser, page: str, method: str | None) -> None:
    """Let a user pass.

    :raises Denied: a permission is missing.
    :raises PermissionDenied: the page is not in the table.
    """
    if page not in PAGES:
        raise PermissionDenied(f"nobody may open {page!r}: it is not in the table")
    need = PAGES[page].of(method)
    if need and not user.has_perm(need):  # type: ignore[union-attr]
        raise Denied(need)


def name_of(permission: str) -> str:
    """Return what a permission is called where it is given: “Can change campaign”."""
    app, _dot, codename = permission.partition(".")
    act, _line, model = codename.partition("_")
    if act in _ACTS and model in apps.all_models[app]:
        kind = apps.get_model(app, model)._meta.verbose_name  # noqa: SLF001
        return _ACTS[act] % {"kind": kind}
    found = Permission.objects.filter(content_type__app_label=app, codename=codename)
    name = found.values_list("name", flat=True).first()
    return gettext(name) if name else permission


# As Django names them in English.
_ACTS = {
    "view": gettext_lazy("Can view %(kind)s"),
    "add": gettext_lazy("Can add %(kind)s"),
    "change": gettext_lazy("Can change %(kind)s"),
    "delete": gettext_lazy("Can delete %(kind)s"),
}
