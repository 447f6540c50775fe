"""The four roles, as groups of Django's: what each may do, and how it comes by that.

A role is given each permission once, when it is made or when an upgrade brings a new one; what an
administrator takes away stays away.
"""

from collections.abc import Iterable
from enum import StrEnum

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from config.accounts.models import GivenPermission

OURS = ("recipients", "templates_app", "tracking", "campaigns", "accounts")


class Role(StrEnum):
    VIEWER = "Viewer"
    MARKETER = "Marketer"
    APPROVER = "Approver"
    ADMINISTRATOR = "Administrator"


_LABELS = {
    Role.VIEWER: _("Viewer"),
    Role.MARKETER: _("Marketer"),
    Role.APPROVER: _("Approver"),
    Role.ADMINISTRATOR: _("Administrator"),
}


def called(group: Group) -> str:
    """Return the name of a group; that of a role of ours in the reader's language."""
    return str(_LABELS.get(group.name, group.name))  # type: ignore[call-overload]


# What everybody may look at. What is not here is for administrators: from where people subscribed,
# who took out whom, messages that came in, what providers told.
_SHOWN = """
recipients.mailinglist recipients.subscription recipients.segment recipients.recipient
recipients.tag recipients.tagging recipients.field recipients.import recipients.signupform
recipients.suppression recipients.liftedsuppression recipients.consentevent
recipients.consentwording recipients.merge
templates_app.emailtemplate templates_app.templateversion templates_app.templatevariant
templates_app.snippet templates_app.layout templates_app.mediafile templates_app.screenshot
campaigns.campaign campaigns.plan campaigns.approval campaigns.run campaigns.page
campaigns.message
campaigns.preflight campaigns.sender campaigns.sendercheck campaigns.transport
campaigns.dkimkey campaigns.domainlimit campaigns.domaingroup
tracking.delivery tracking.departure tracking.link
"""

# What who plans campaigns makes, changes and deletes.
_MADE = """
recipients.mailinglist recipients.segment recipients.tag recipients.tagging recipients.field
recipients.subscription recipients.import recipients.signupform
templates_app.emailtemplate templates_app.templatevariant templates_app.snippet
templates_app.layout templates_app.mediafile
campaigns.campaign
"""

_MARKETER_TOO = {
    "recipients.add_recipient",
    "recipients.change_recipient",
    "recipients.add_suppression",
    "tracking.change_delivery",  # settle what is in doubt
    "campaigns.send_message",
}

# Beside everything of ours.
_ADMINISTRATOR_TOO = {
    f"{app}.{act}_{model}"
    for app, model, acts in (
        ("auth", "user", "view add change"),
        ("auth", "group", "view add change delete"),
        ("django_celery_beat", "periodictask", "view change"),
        ("django_celery_results", "taskresult", "view"),
        ("django_celery_results", "groupresult", "view"),
    )
    for act in acts.split()
}


def permissions_of(role: Role, *, known: Iterable[str]) -> set[str]:
    """Return what a role may do, of the permissions that there are (`app.codename`)."""
    match role:
        case Role.ADMINISTRATOR:
            wanted = {each for each in known if each.partition(".")[0] in OURS}
            wanted |= _ADMINISTRATOR_TOO
        case Role.MARKETER:
            wanted = _acts("view", _SHOWN) | _acts("add change delete", _MADE) | _MARKETER_TOO
        case Role.APPROVER:
            wanted = _acts("view", _SHOWN) | {"campaigns.approve_campaign"}
        case Role.VIEWER:
            wanted = _acts("view", _SHOWN)
    return wanted & set(known)


def _acts(acts: str, models: str) -> set[str]:
    names = [each.split(".") for each in models.split()]
    return {f"{app}.{act}_{model}" for app, model in names for act in acts.split()}


@transaction.atomic
def make_roles(*, anew: bool = False) -> None:
    """Make the groups that are missing, and give each what it has not been given before.

    :param anew: give also what somebody took away, and take what is not the role's.
    """
    ids = _known()
    for role in Role:
        group, is_new = Group.objects.get_or_create(name=role.value)
        wanted = permissions_of(role, known=ids)
        given = set() if is_new or anew else _given(role)
        if anew:
            group.permissions.clear()
        group.permissions.add(*(ids[each] for each in wanted - given))
        GivenPermission.objects.bulk_create(
            [GivenPermission(role=role.value, permission=each) for each in wanted - given],
            ignore_conflicts=True,
        )


def _known() -> dict[str, int]:
    rows = Permission.objects.values_list("content_type__app_label", "codename", "pk")
    return {f"{app}.{codename}": pk for app, codename, pk in rows}


def _given(role: Role) -> set[str]:
    return set(GivenPermission.objects.filter(role=role.value).values_list("permission", flat=True))
