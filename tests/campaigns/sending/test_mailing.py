"""What a template may say that Godwit fills in."""

import email
import email.policy
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from campaigns.models import Campaign, Run
from campaigns.sending.claim import Claimed, claim
from campaigns.sending.mailing import Mailing, compiled
from recipients.models import Field, FieldKind, MailingList, Recipient
from templates_app.models import EmailTemplate, TemplateVariant, TemplateVersion
from templates_app.models import Kind as Kinds
from templates_app.services import freeze, problems
from tests.factories import (
    make_campaign,
    make_list,
    make_recipient,
    make_run,
    make_segment,
    make_template,
)
from tracking import links
from tracking.models import Delivery, Link
from tracking.tokens import NOBODY, Hit, Kind, read_hit

pytestmark = pytest.mark.django_db


def test_a_template_leads_to_the_preferences_where_it_says_so(client: Client) -> None:
    make_recipient("ada@example.org", lists=[make_list()])
    html = "<a href='{{ preferences_url }}'>Choose</a> <a href='{{ unsubscribe_url }}'>Leave</a>"
    run = make_run(make_campaign(template=make_template(html=html)))
    delivery = Delivery.objects.get()

    message, _ = Mailing(run).message(
        Claimed(delivery.pk, delivery.address, {}, attempts=1), now=timezone.now()
    )

    url = links.preferences_url(delivery.pk)
    assert url.encode() in message.data.replace(b"=\r\n", b"")
    page = client.get(url.removeprefix("http://localhost:8000")).content.decode()
    assert "What ada@example.org gets" in page


def test_a_template_reads_the_language_and_time_zone_of_a_recipient() -> None:
    make_recipient("ada@example.org", lists=[make_list()], fields={"city": "Huế"})
    Field.objects.create(name="city")
    Recipient.objects.update(language="vi", time_zone="Asia/Ho_Chi_Minh")
    html = "{% if language == 'vi' %}Chao{% endif %} {{ time_zone }} {{ city }}"
    template = make_template(html=f"{html} <a href='{{{{ unsubscribe_url }}}}'>Leave</a>")
    assert problems(template, known=["city"]) == []
    run = make_run(make_campaign(template=template))
    now = timezone.now()

    claimed = claim(run.pk, [Delivery.objects.get().pk], now=now, lease_for=timedelta(minutes=1))
    message, _ = Mailing(run).message(claimed.deliveries[0], now=now)

    assert b"Chao Asia/Ho_Chi_Minh Hu=E1=BA=BF" in message.data


def in_three_languages() -> TemplateVersion:
    Field.objects.create(name="born", kind=FieldKind.DATE)
    template = make_template(html="<p>Hello {{ born | date('long') }} {{ language }}</p>")
    template.language = "en"
    template.save()
    for language, subject, greeting in (("pt", "Olá", "Olá"), ("ar", "مرحبا", "أهلا")):
        TemplateVariant.objects.create(
            template=template,
            language=language,
            subject=subject,
            source=f"<p>{greeting} {{{{ born | date('long') }}}} {{{{ language }}}}</p>",
        )
    return freeze(template)


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("pt-BR", "Olá 1 de fevereiro de 1990 pt-BR"),
        ("AR", "أهلا 1 فبراير 1990 AR"),
        ("en-GB", "Hello February 1, 1990 en-GB"),
        ("fr", "Hello February 1, 1990 fr"),
        ("", "Hello February 1, 1990"),
    ],
)
def test_a_recipient_gets_the_content_in_their_language(language: str, says: str) -> None:
    recipient = make_recipient(
        "ada@example.org", lists=[make_list()], fields={"born": "1990-02-01"}
    )
    type(recipient).objects.filter(pk=recipient.pk).update(language=language)
    version = in_three_languages()
    run = make_run(make_campaign(template=version.template))
    now = timezone.now()

    [claimed] = claim(
        run.pk, [Delivery.objects.get().pk], now=now, lease_for=timedelta(minutes=1)
    ).deliveries
    message, _ = Mailing(run).message(claimed, now=now)

    text = email.message_from_bytes(message.data, policy=email.policy.default)
    assert claimed.language == language
    assert text.get_body(("plain",)).get_content().strip() == says  # type: ignore[union-attr]


def test_all_languages_of_a_version_are_read_once_per_process(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    version = in_three_languages()

    with django_assert_num_queries(2):
        first = compiled(version.pk)
        again = compiled(version.pk)

    assert first is again


LINKS = (
    "<p>Hello</p><a href='https://a.example/{{ city | default('x') }}'>Yours</a>"
    "<a href='https://a.example/all'>All</a><a href='{{ unsubscribe_url }}'>Leave</a>"
)


def tracked_run(
    *addresses: str, wanted: str = "full", template: EmailTemplate | None = None, **campaign: Any
) -> Run:
    readers = make_list()
    for address in addresses:
        make_recipient(address, lists=[readers])
    draft = make_campaign(template=template or make_template(html=LINKS), **campaign)
    draft.tracking = wanted
    draft.save()
    return make_run(draft)


def sent(run: Run) -> dict[str, str]:
    """Return what each recipient gets as HTML, by address."""
    now = timezone.now()
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))
    claimed = claim(run.pk, ids, now=now, lease_for=timedelta(minutes=1))
    mailing = Mailing(run)
    return {one.address: html(mailing.message(one, now=now)[0].data) for one in claimed.deliveries}


def html(data: bytes, subtype: str = "html") -> str:
    part = email.message_from_bytes(data, policy=email.policy.default).get_body((subtype,))
    return str(part.get_content()) if part else ""


OPEN_URL = re.compile(r'src="http://localhost:8000/o/([\w-]{32})"')
CLICK_URL = re.compile(r"href='http://localhost:8000/c/([\w-]{32})/(\d+)'")


def test_a_message_of_a_run_that_is_measured_names_its_delivery_and_run() -> None:
    run = tracked_run("ada@example.org", "bo@example.org")

    messages = sent(run)

    for address, text in messages.items():
        hit = Hit(Delivery.objects.get(address=address).pk, run.pk)
        [opened] = OPEN_URL.findall(text)
        clicked = CLICK_URL.findall(text)
        assert read_hit(opened, kind=Kind.OPEN, ring=links.key_ring()) == hit
        assert [number for _, number in clicked] == ["0", "1"]
        assert {read_hit(each, kind=Kind.CLICK, ring=links.key_ring()) for each, _ in clicked} == {
            hit
        }
        assert "a.example" not in text
        assert links.unsubscribe_url(hit.delivery_id) in text


def test_an_anonymous_message_tells_nobody_apart() -> None:
    run = tracked_run("ada@example.org", "bo@example.org", wanted="anonymous")

    messages = sent(run)

    found = [(OPEN_URL.findall(text), CLICK_URL.findall(text)) for text in messages.values()]
    [opened], [(clicked, number)] = found[0]
    assert found[0] == found[1]
    assert read_hit(opened, kind=Kind.OPEN, ring=links.key_ring()) == Hit(NOBODY, run.pk)
    assert read_hit(clicked, kind=Kind.CLICK, ring=links.key_ring()) == Hit(NOBODY, run.pk)
    assert number == "1"
    # Who clicked is not known, and so not where this would lead.
    assert all("href='https://a.example/x'" in text for text in messages.values())


def is_plain(text: str) -> bool:
    return (
        "localhost:8000/o/" not in text
        and "localhost:8000/c/" not in text
        and ("href='https://a.example/all'" in text)
    )


def test_a_message_of_a_run_that_is_not_measured_is_as_it_was_written() -> None:
    [text] = sent(tracked_run("ada@example.org", wanted="off")).values()

    assert is_plain(text)


@pytest.mark.parametrize("is_required", [False, True])
@pytest.mark.parametrize("wanted", ["full", "anonymous"])
def test_who_is_not_to_be_measured_gets_plain_links_and_no_pixel(
    wanted: str, is_required: bool, settings: Settings
) -> None:
    settings.TRACKING_CONSENT_REQUIRED = is_required
    words = ["granted", "denied", "unknown"]
    run = tracked_run(*(f"{word}@example.org" for word in words), wanted=wanted)
    for word in words:
        Recipient.objects.filter(address=f"{word}@example.org").update(tracking_consent=word)

    messages = sent(run)

    measured = {
        address.partition("@")[0] for address, text in messages.items() if not is_plain(text)
    }
    assert measured == ({"granted"} if is_required else {"granted", "unknown"})


def test_the_text_part_keeps_its_addresses() -> None:
    run = tracked_run("ada@example.org")
    delivery = Delivery.objects.get()
    claimed = Claimed(delivery.pk, delivery.address, {}, 1, tracking_consent="granted")

    message, _ = Mailing(run).message(claimed, now=timezone.now())

    assert "All <https://a.example/all>" in html(message.data, "plain")
    assert "localhost:8000/c/" not in html(message.data, "plain")


def test_a_message_of_text_alone_is_not_measured() -> None:
    template = make_template(html="<p>x</p>")
    template.kind, template.source = Kinds.TEXT, "https://a.example/all {{ unsubscribe_url }}"
    template.save()
    run = tracked_run("ada@example.org", template=template)
    delivery = Delivery.objects.get()
    claimed = Claimed(delivery.pk, delivery.address, {}, 1, tracking_consent="granted")

    message, _ = Mailing(run).message(claimed, now=timezone.now())

    assert b"localhost:8000/c/" not in message.data
    assert b"localhost:8000/o/" not in message.data
    assert not Link.objects.exists()


@pytest.mark.parametrize("name", ["click_url", "open_url", "click_token", "token"])
def test_an_author_cannot_write_what_names_the_delivery(name: str) -> None:
    content = f"{{{{ {name} | default('nothing') }}}}"
    run = tracked_run("ada@example.org", template=make_template(html=f"<p>{content}</p>{LINKS}"))
    Recipient.objects.update(fields={})

    [text] = sent(run).values()

    assert "<p>nothing</p>" in text


def test_the_most_private_word_is_fixed_when_the_run_is_fired(settings: Settings) -> None:
    private = make_list("Private")
    MailingList.objects.filter(pk=private.pk).update(tracking="anonymous")

    run = tracked_run("ada@example.org", lists=[make_list(), private])
    MailingList.objects.update(tracking="full")
    Campaign.objects.update(tracking="full")
    settings.TRACKING = "off"

    run.refresh_from_db()
    assert run.tracking == "anonymous"
    assert Link.objects.filter(version=run.version).count() == 2


def test_a_run_to_segments_is_measured_as_campaign_and_installation_say() -> None:
    make_recipient("ada@example.org", lists=[make_list()])
    MailingList.objects.update(tracking="off")

    run = tracked_run(segments=[make_segment()])

    assert run.tracking == "full"
