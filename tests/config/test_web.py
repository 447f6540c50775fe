import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils.translation import override

from config.views import forbidden
from config.web.access import PAGES, Denied, require
from config.web.headers import CONSOLE, OWN
from tests.console import staff, superuser, text

OTHERS = {"admin"}  # packages that look after their pages themselves


def patterns(resolver: URLResolver, space: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Yield each of our own URLs, by its whole name."""
    for each in resolver.url_patterns:
        if isinstance(each, URLPattern):
            yield f"{space}{each.name}", each
        elif each.namespace not in OTHERS:
            yield from patterns(each, f"{each.namespace}:" if each.namespace else space)


URLS = dict(patterns(get_resolver()))
STAFF = sorted(
    name for name, each in URLS.items() if getattr(each.callback, "login_required", True)
)
# Asked once more who they are, people without a password or a second factor have nothing to show.
ASK_AGAIN = {"account_reauthenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn"}


def address(name: str) -> str:
    """Return a URL of that name, of something that is not there."""
    converters = URLS[name].pattern.converters
    samples = {"IntConverter": 987654321, "StringConverter": "x", "SlugConverter": "x"}
    given = {key: samples[type(each).__name__] for key, each in converters.items()}
    return reverse(name, kwargs=given)


@pytest.mark.parametrize("name", STAFF)
def test_who_is_not_signed_in_is_asked_to(name: str, client: Client) -> None:
    answer = client.get(address(name))

    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/login/?next=")


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(set(STAFF) - ASK_AGAIN))
def test_a_page_opens_to_whoever_has_its_permission_alone(name: str) -> None:
    need = PAGES[name]

    refused = staff().get(address(name)) if need.look else None
    let_in = staff(*filter(None, need), name="with").get(address(name))

    assert refused is None or refused.status_code == 403
    assert let_in.status_code != 403


@pytest.mark.django_db
@pytest.mark.parametrize("name", [name for name in STAFF if PAGES[name].act])
def test_a_form_is_taken_from_whoever_may_act_alone(name: str) -> None:
    looking = staff(PAGES[name].look) if PAGES[name].look else staff()

    assert looking.post(address(name)).status_code == 403


# What has no page of staff's: it is looked after in the console.
IN_THE_CONSOLE = {
    "_menu.html": {"admin:index"},
    "transport_list.html": {"admin:campaigns_domainlimit_changelist"},
    "template_list.html": {
        "admin:templates_app_layout_changelist",
        "admin:templates_app_snippet_changelist",
    },
    "media.py": {"admin:{kind.app_label}_{kind.model}_change"},  # the same two
    "own.py": {"admin:index"},
    "_campaign_situation.html": {"admin:templates_app_templateversion_change"},  # of the console
}


def test_pages_of_staff_lead_to_the_console_for_what_has_no_other_page() -> None:
    root = Path(settings.BASE_DIR)
    apps = ("campaigns", "config", "recipients", "templates_app", "tracking")
    files = [each for app in apps for each in (root / app).rglob("templates/**/*.html")]
    files += [each for app in apps for each in (root / app).rglob("views/**/*.py")]

    found = {
        each.name: set(re.findall(r'"(admin:[^"]+)"|/admin/', each.read_text())) for each in files
    }

    assert {name: links for name, links in found.items() if links} == IN_THE_CONSOLE


def test_the_table_names_no_page_that_is_not_there() -> None:
    assert set(PAGES) == set(STAFF)


@pytest.mark.django_db
def test_a_refusal_names_the_permission_and_who_can_give_it(rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = User.objects.create_user("root", is_superuser=True)

    page = text(forbidden(request, Denied("campaigns.change_campaign")))

    assert "asks for the permission “Can change campaign”" in page
    assert "Who can give it to you: root." in page


@pytest.mark.django_db
def test_a_refusal_names_the_permission_as_its_reader_calls_it(rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = User.objects.create_user("root", is_superuser=True)

    with override("vi"):
        page = text(forbidden(request, Denied("accounts.view_auditentry")))

    assert "Trang này cần quyền “Được xem mục nhật ký”" in page


@pytest.mark.django_db
def test_a_page_that_is_in_no_table_opens_to_nobody() -> None:
    root = User.objects.create_user("root", is_superuser=True)

    with pytest.raises(PermissionDenied):
        require(root, "campaigns:unknown", "GET")


@pytest.mark.django_db
def test_every_answer_says_what_a_browser_may_do() -> None:
    client = superuser()

    assert client.get("/")["Content-Security-Policy"] == OWN
    assert client.get("/admin/")["Content-Security-Policy"] == CONSOLE
    assert "unsafe" not in OWN


@pytest.mark.django_db
def test_our_pages_have_nothing_that_the_policy_forbids() -> None:
    page = superuser().get("/").content.decode()

    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|hx-on|javascript:", page)


def test_the_bundle_of_the_source_editor_is_the_one_that_its_sources_make() -> None:
    """What `make editor` made, and of what, is written down; the licences are beside it."""
    root = Path(settings.BASE_DIR) / "config"
    sums = (root / "editor" / "SHA256SUMS").read_text().splitlines()

    made = [f"{sha256((root / line.split()[1]).read_bytes()).hexdigest()}" for line in sums]

    assert made == [line.split()[0] for line in sums]
    assert len(sums) == 3
    licences = (root / "static" / "godwit" / "vendor" / "editor.LICENSES.txt").read_text()
    assert licences.count("Permission is hereby granted") == licences.count("\n---\n") + 1


@pytest.mark.django_db
def test_styles_of_the_source_editor_are_let_in_by_a_nonce_on_its_page_alone() -> None:
    client = superuser()

    page = client.get("/templates/blank/")

    [nonce] = re.findall(r'name="style-nonce" content="([^"]+)"', page.content.decode())
    assert page["Content-Security-Policy"] == OWN.replace(
        "style-src 'self'", f"style-src 'self' 'nonce-{nonce}'"
    )
    assert "nonce" not in client.get("/templates/")["Content-Security-Policy"]


@pytest.mark.parametrize("status", [404, 500])
def test_a_page_for_what_went_wrong_needs_no_context(status: int) -> None:
    assert "<h1>" in render_to_string(f"{status}.html")


def test_the_process_says_that_it_is_alive(client: Client) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_the_source_editor_speaks_the_language_of_its_page() -> None:
    client = superuser()

    page = client.get("/templates/blank/", headers={"accept-language": "vi"}).content.decode()

    assert '<meta name="phrase" data-english="Find" content="Tìm">' in page
