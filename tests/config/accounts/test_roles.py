"""What each role may open: every page of staff, as everybody."""

import io
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.test import Client

from config.accounts import tasks
from config.accounts.models import GivenPermission
from config.accounts.roles import Role, make_roles
from config.web.access import PAGES
from tests.config.test_web import ASK_AGAIN, STAFF, address
from tests.console import staff, superuser, text
from tests.factories import make_list

pytestmark = pytest.mark.django_db

V, M, P, A = "Viewer", "Marketer", "Approver", "Administrator"
# Who may look at things of a kind, and who may make, change or delete them.
LOOKS = {
    "recipient mailinglist subscription segment tag field import signupform suppression": {V, M, P},
    "emailtemplate templateversion snippet layout mediafile": {V, M, P},
    "campaign message run page preflight sender transport delivery domainlimit dkimkey": {V, M, P},
    "consentevent": {V, M, P},
    "export consentdetail inboundmessage webhookevent mailbox notice": set(),
    "user group taskresult auditentry apikey endpoint": set(),
}
ACTS = {
    "mailinglist segment tag field import signupform": {M},
    "emailtemplate snippet layout mediafile campaign": {M},
    "recipient suppression sender transport dkimkey domainlimit user group endpoint": set(),
}
# The rest, each by itself.
OTHERS = {
    "recipients.add_recipient": {M},
    "recipients.change_recipient": {M},
    "recipients.add_suppression": {M},
    "tracking.change_delivery": {M},
    "campaigns.approve_campaign": {P},
    "campaigns.send_message": {M},
    "recipients.export_recipient": set(),
    "recipients.erase_recipient": set(),
    "recipients.merge_recipient": set(),
    "recipients.lift_complaint": set(),
    "recipients.see_limited_lists": set(),
    "templates_app.write_raw_html": set(),
}


def who_may(permission: str) -> set[str]:
    """Return the roles that have it, by the tables above; administrators have all."""
    if permission in OTHERS:
        return OTHERS[permission] | {A}
    act, _, model = permission.partition(".")[2].partition("_")
    table = LOOKS if act == "view" else ACTS
    [roles] = [roles for models, roles in table.items() if model in models.split()]
    return roles | {A}


@pytest.fixture(scope="module")
def granted(django_db_blocker: Any, django_db_setup: None) -> dict[str, set[str]]:
    """What the roles were given when the tables were made."""
    with django_db_blocker.unblock():
        make_roles()
        rows = Group.objects.values_list(
            "name", "permissions__content_type__app_label", "permissions__codename"
        )
        found: dict[str, set[str]] = {}
        for name, app, codename in rows:
            found.setdefault(name, set()).add(f"{app}.{codename}")
    return found


ASKED = sorted({need for page in PAGES.values() for need in page if need} | set(OTHERS))


@pytest.mark.parametrize("permission", ASKED)
def test_a_permission_that_a_page_asks_for_is_of_these_roles(
    permission: str, granted: dict[str, set[str]]
) -> None:
    assert {role for role in Role if permission in granted[role]} == who_may(permission)


@pytest.mark.parametrize("role", [*Role, "nobody"])
def test_every_page_and_form_opens_to_those_roles_alone(role: str) -> None:
    client = staff(name=role)
    if role != "nobody":
        User.objects.get(username=role).groups.add(Group.objects.get(name=role))
    pages = sorted(set(STAFF) - ASK_AGAIN)

    looked = {name for name in pages if client.get(address(name)).status_code != 403}
    sent = {name for name in pages if client.post(address(name)).status_code != 403}

    def may(need: str) -> bool:
        return not need or role in who_may(need)

    assert looked == {name for name in pages if may(PAGES[name].look)}
    # A password that was never set cannot be changed; the rest is a matter of the table.
    assert (
        sent - PASSWORDS
        == {name for name in pages if may(PAGES[name].act or PAGES[name].look)} - PASSWORDS
    )


PASSWORDS = {"account_change_password", "console_password_change", "account_set_password"}


def test_what_an_administrator_took_away_stays_away_and_what_is_new_is_given() -> None:
    viewers = Group.objects.get(name=V)
    taken = Permission.objects.get(codename="view_recipient")
    new = Permission.objects.get(codename="view_campaign")
    viewers.permissions.remove(taken, new)
    GivenPermission.objects.filter(role=V, permission="campaigns.view_campaign").delete()

    make_roles()

    assert new in viewers.permissions.all()
    assert taken not in viewers.permissions.all()


def test_roles_are_restored_by_a_command() -> None:
    viewers = Group.objects.get(name=V)
    before = set(viewers.permissions.all())
    viewers.permissions.set([Permission.objects.get(codename="erase_recipient")])

    call_command("restore_roles", stdout=io.StringIO())

    assert set(viewers.permissions.all()) == before


def test_a_role_that_was_deleted_comes_back_with_all_that_it_has() -> None:
    Group.objects.get(name=V).delete()

    make_roles()

    assert Group.objects.get(name=V).permissions.filter(codename="view_run").exists()


def test_given_permission_unique() -> None:
    given = GivenPermission.objects.all()[0]

    with pytest.raises(IntegrityError, match="given_permission_unique"):
        GivenPermission.objects.create(role=given.role, permission=given.permission)


def test_a_command_gives_a_role_and_takes_it() -> None:
    User.objects.create_user("mai")
    output = io.StringIO()

    call_command("give_role", "mai", "marketer", stdout=output)
    call_command("give_role", "mai", "marketer", "--take", stdout=output)

    assert output.getvalue() == "mai: Marketer\nmai: no role\n"
    with pytest.raises(CommandError, match="nobody has the user name 'ghost'"):
        call_command("give_role", "ghost", "viewer")


# --- the page of users ------------------------------------------------------------------------

USERS = "/users/"


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    given: list[dict[str, str]] = []
    monkeypatch.setattr(tasks.send_mail, "delay", lambda **message: given.append(message))
    return given


@pytest.fixture
def administrator() -> Client:
    client = staff(name="boss")
    User.objects.get(username="boss").groups.add(Group.objects.get(name=A))
    return client


def typed(**given: Any) -> dict[str, Any]:
    return {"username": "mai", "email": "mai@example.org", "is_active": "on", **given}


def test_an_administrator_makes_a_user_who_is_sent_a_link(
    administrator: Client, outbox: list[dict[str, str]]
) -> None:
    marketers = Group.objects.get(name=M)
    limited = make_list("Donors")
    limited.is_limited = True
    limited.save()

    answer = administrator.post(
        f"{USERS}add/", typed(roles=[marketers.pk], lists=[limited.pk]), follow=True
    )

    user = User.objects.get(username="mai")
    assert [*user.groups.all()] == [marketers]
    assert [*user.limited_lists.all()] == [limited]
    assert not user.has_usable_password()
    assert [each["to"] for each in outbox] == ["mai@example.org"]
    assert "mai is made, and is sent a link" in text(answer)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"email": "BOSS@example.org"}, "Another user has this address."),
        ({"email": ""}, "Email address: This field is required."),
        ({"username": "boss"}, "A user with that username already exists."),
    ],
)
def test_a_user_who_cannot_be_made_is_explained(
    administrator: Client, wrong: dict[str, str], said: str
) -> None:
    User.objects.filter(username="boss").update(email="boss@example.org")

    answer = administrator.post(f"{USERS}add/", typed(**wrong))

    assert answer.status_code == 422
    assert said in text(answer)
    assert User.objects.count() == 1


def test_who_is_refused_is_told_which_administrator_can_help(administrator: Client) -> None:
    User.objects.create_user("gone", is_superuser=True, is_active=False)

    page = text(staff(name="mai").get(USERS))

    assert "asks for the permission “Can view user”" in page
    assert "Who can give it to you: boss." in page


def test_nobody_shuts_themselves_out(administrator: Client) -> None:
    boss = User.objects.get(username="boss")

    answer = administrator.post(
        f"{USERS}{boss.pk}/", {"username": "boss", "email": "boss@example.org"}
    )

    assert "You cannot shut yourself out" in text(answer)
    boss.refresh_from_db()
    assert boss.is_active


@pytest.mark.parametrize("page", ["/users/{}/", "/admin/auth/user/{}/change/"])
def test_an_administrator_makes_no_superuser_and_changes_none(
    administrator: Client, page: str
) -> None:
    root = User.objects.create_superuser("root")
    boss = User.objects.get(username="boss")

    refused = administrator.post(page.format(root.pk), typed(username="gone"))
    administrator.post(page.format(boss.pk), typed(username="boss", is_superuser="on"))

    assert refused.status_code == 403
    assert set(User.objects.filter(is_superuser=True)) == {root}
    root.refresh_from_db()
    assert root.username == "root"


def test_lists_that_an_administrator_does_not_see_stay_as_they_are(
    administrator: Client,
) -> None:
    Permission.objects.get(codename="see_limited_lists").group_set.clear()
    hidden, user = make_list("Donors"), User.objects.create_user("mai", email="mai@example.org")
    hidden.is_limited = True
    hidden.save()
    hidden.limited_to_users.add(user)

    page = administrator.get(f"{USERS}{user.pk}/")
    administrator.post(f"{USERS}{user.pk}/", typed(first_name="Mai"))

    user.refresh_from_db()
    assert user.first_name == "Mai"
    assert "Donors" not in text(page)
    assert [*user.limited_lists.all()] == [hidden]


def test_the_list_says_who_may_do_what(administrator: Client) -> None:
    User.objects.create_superuser("root")
    User.objects.create_user("guest", is_active=False)

    page = text(administrator.get(USERS))

    assert "Superuser: everything" in page
    assert "guest may not sign in" in page
    assert "None: may do nothing" in page
    assert 'href="/users/' in superuser_page()


def superuser_page() -> str:
    User.objects.filter(username="root").delete()
    content: str = superuser().get(USERS).content.decode()
    return content
