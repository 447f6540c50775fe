"""API keys: who makes them, what they are for, how they end."""

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone
from django.utils.translation import override

from config.accounts.keys import find_key, make_key, revoke_key
from config.accounts.models import ApiKey, AuditEntry
from config.accounts.scopes import scopes_to_choose
from recipients.models import MailingList
from tests.api import Program
from tests.console import staff, text
from tests.factories import make_list

pytestmark = pytest.mark.django_db

KEYS = "/account/keys/"


def typed(**given: Any) -> dict[str, Any]:
    return {"name": "CRM", "reach": "look", "days": "90", **given}


def make(user: User, **given: Any) -> tuple[ApiKey, str]:
    made = make_key(
        user, name="CRM", scopes=["recipients.view_mailinglist"], now=timezone.now(), **given
    )
    return made.key, made.secret


def test_a_key_is_shown_once_and_only_its_digest_is_stored() -> None:
    browser = staff("recipients.view_mailinglist")

    page = text(browser.post(f"{KEYS}add/", typed()))

    [secret] = re.findall(r"gdw_\w{12}_[\w-]{43}", page)
    key = ApiKey.objects.get()
    assert secret not in str(ApiKey.objects.values().get())
    assert Program(secret).get("/lists").status_code == 200
    assert key.scopes == ["recipients.view_mailinglist"]
    assert key.expires_at == key.created_at + timedelta(days=90)
    assert secret not in text(browser.get(KEYS))
    [entry] = AuditEntry.objects.filter(kind="accounts.apikey", act="added")
    assert entry.after
    assert entry.after["digest"] == "…"


def test_who_makes_a_key_types_the_password_once_more() -> None:
    browser = staff()
    user = User.objects.get()
    user.set_password("flyway-of-the-godwit")
    user.save()
    browser.force_login(user)

    answer = browser.get(f"{KEYS}add/")

    assert answer.status_code == 302
    assert "/account/reauthenticate/" in answer["Location"]


def test_a_key_is_for_nothing_that_its_user_may_not_do() -> None:
    browser = staff("recipients.view_mailinglist", "recipients.add_mailinglist")

    refused = browser.post(f"{KEYS}add/", typed(reach="chosen", scopes=["recipients.view_segment"]))
    empty = browser.post(f"{KEYS}add/", typed(reach="chosen"))
    browser.post(f"{KEYS}add/", typed(reach="all"))

    assert (refused.status_code, empty.status_code) == (422, 422)
    assert ApiKey.objects.get().scopes == [
        "recipients.add_mailinglist",
        "recipients.view_mailinglist",
    ]


def test_what_a_key_may_do_is_said_in_the_language_of_who_makes_it() -> None:
    user = User.objects.create_superuser("root")

    with override("vi"):
        names = dict(scopes_to_choose(user))

    assert names["recipients.view_recipient"] == "Được xem người nhận"
    assert names["campaigns.send_message"] == "Được gửi thư đơn lẻ"
    assert not [name for name in names.values() if name.startswith("Can ")]


def test_what_is_taken_from_a_user_is_taken_from_the_key() -> None:
    staff("recipients.view_mailinglist")
    user = User.objects.get()
    _, secret = make(user)
    user.user_permissions.clear()

    assert Program(secret).get("/lists").status_code == 403


def test_a_key_sees_limited_lists_as_its_user_does_and_those_of_its_own_alone() -> None:
    browser = staff("recipients.view_mailinglist")
    hidden, seen, other = make_list("Hidden"), make_list("Seen"), make_list("Other")
    MailingList.objects.filter(pk__in=[hidden.pk, seen.pk]).update(is_limited=True)
    seen.limited_to_users.add(User.objects.get())

    refused = browser.post(f"{KEYS}add/", typed(lists=[hidden.pk]))
    page = text(browser.post(f"{KEYS}add/", typed(lists=[seen.pk])))
    whole = Program(make(User.objects.get())[1])

    [secret] = re.findall(r"gdw_\w{12}_[\w-]{43}", page)
    assert refused.status_code == 422
    assert names(Program(secret)) == ["Seen"]
    assert names(whole) == [other.name, "Seen"]


def names(crm: Program) -> list[str]:
    return [each["name"] for each in crm.get("/lists").json()["items"]]


def test_ones_own_keys_are_shown_and_revoked_and_those_of_others_by_a_permission() -> None:
    browser = staff(name="mai")
    other = User.objects.create_user("bo")
    theirs, secret = make(other)
    mine, _ = make(User.objects.get(username="mai"))

    page = text(browser.get(KEYS))
    refused = browser.post(f"{KEYS}{theirs.pk}/revoke/")
    browser.post(f"{KEYS}{mine.pk}/revoke/")
    boss = staff("accounts.view_apikey", "accounts.change_apikey", name="boss")
    shown = text(boss.get(KEYS))
    asked = text(boss.get(f"{KEYS}{theirs.pk}/revoke/"))
    boss.post(f"{KEYS}{theirs.pk}/revoke/")

    assert f"gdw_{mine.prefix}" in page
    assert f"gdw_{theirs.prefix}" not in page
    assert refused.status_code == 404
    assert f"gdw_{theirs.prefix}" in shown
    assert "refused from now on" in asked
    assert Program(secret).get("/lists").status_code == 401
    assert not ApiKey.objects.filter(revoked_at=None).exists()


def test_a_key_expires_at_its_time_and_not_before() -> None:
    now = timezone.now()
    _, secret = make(User.objects.create_user("mai"), expires_at=now)

    assert find_key(secret, now=now - timedelta(microseconds=1))
    assert find_key(secret, now=now) is None


def test_what_is_nearly_a_key_is_none() -> None:
    now = timezone.now()
    key, secret = make(User.objects.create_user("mai"))

    assert find_key(secret, now=now)
    assert find_key(f"{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}", now=now) is None
    assert find_key(secret.replace("gdw", "xyz"), now=now) is None
    assert revoke_key(key, now=now)
    assert not revoke_key(key, now=now)


def test_api_key_prefix_unique() -> None:
    key, _ = make(User.objects.create_user("mai"))
    key.pk = None

    with pytest.raises(IntegrityError, match="api_key_prefix_unique"):
        key.save()


def command(*arguments: str) -> str:
    output = io.StringIO()
    call_command("create_api_key", *arguments, stdout=output)
    return output.getvalue().strip()


def test_a_command_makes_a_key_and_prints_it() -> None:
    staff("recipients.view_mailinglist", "recipients.add_mailinglist", name="mai")
    make_list("Readers")
    make_list("Donors")

    looking = Program(command("mai", "CRM", "--list", "Readers", "--days", "0"))
    acting = Program(command("mai", "CRM", "--all"))
    chosen = Program(command("mai", "CRM", "--scope", "recipients.add_mailinglist"))

    assert names(looking) == ["Readers"]
    assert looking.post("/lists", {"name": "A"}).status_code == 403
    assert acting.post("/lists", {"name": "A"}).status_code == 201
    assert chosen.get("/lists").status_code == 403
    assert [key.expires_at is None for key in ApiKey.objects.order_by("pk")] == [True, False, False]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ghost", "CRM"], "nobody has the user name 'ghost'"),
        (["mai", "CRM", "--list", "Ghosts"], "there is no list 'Ghosts'"),
        (["mai", "CRM", "--scope", "auth.view_user"], "no operation of the API asks for"),
        (["mai", "CRM", "--scope", "recipients.view_mailinglist"], "has not got the permission"),
    ],
)
def test_a_key_that_cannot_be_made_is_explained(arguments: list[str], said: str) -> None:
    User.objects.create_user("mai")

    with pytest.raises(CommandError, match=said):
        command(*arguments)


def test_the_page_of_keys_is_in_the_menu(client: Client) -> None:
    assert 'href="/account/keys/"' in staff().get("/").content.decode()
