"""What there is to see: campaigns, runs and people in every state, and the pages about them."""

import io
from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from campaigns import services
from campaigns.models import Campaign, Plan, Run, RunStatus, Transport, When
from config.accounts.keys import make_key
from recipients import exporting
from recipients.finding import Filter
from recipients.importing import jobs
from recipients.models import (
    ExportFormat,
    Field,
    FieldKind,
    Import,
    ImportStatus,
    MailingList,
    Recipient,
    Suppression,
    Tag,
    Tagging,
)
from templates_app.blocks import BLANK, Block, BlockKind, compose
from templates_app.models import EmailTemplate, Kind
from templates_app.services import create_template
from tests.campaigns.webhooks.steps import make_call, make_endpoint
from tests.factories import (
    make_campaign,
    make_delivery,
    make_file,
    make_form,
    make_list,
    make_past_run,
    make_recipients,
    make_run,
    make_segment,
    make_template,
)
from tracking import feedback
from tracking.models import (
    Call,
    CallState,
    Category,
    Delivery,
    DomainTally,
    Endpoint,
    HourTally,
    Link,
    ReasonTally,
    RunCounters,
)


def readers(count: int = 3) -> MailingList:
    """Return the list Readers, with so many people where there is nobody yet."""
    found = make_list()
    if not found.subscription_set.exists():
        make_recipients(count, mailing_list=found)
    return found


def draft(name: str = "Spring") -> Campaign:
    campaign = make_campaign(name, lists=[readers()])
    Plan.objects.create(campaign=campaign, when=When.NOW, time_zone="Asia/Ho_Chi_Minh")
    return campaign


def scheduled(name: str = "Spring") -> Campaign:
    campaign, now = draft(name), timezone.now()
    return services.schedule(campaign, now=now, at=now + timedelta(minutes=2))


def flying(name: str = "Spring", *, status: str = RunStatus.SENDING) -> Run:
    run = make_run(draft(name))
    Run.objects.filter(pk=run.pk).update(status=status, held_reason="look at it")
    return run


def ended() -> Run:
    """Return a run with something of everything: sent, failed, in doubt, a bounce, a click."""
    people, now = list(Recipient.objects.subscribed_to(readers(4))[:4]), timezone.now()
    html = '<p>Hello</p><a href="https://a.example/">Read</a>'
    campaign = make_campaign("Ended", lists=[readers()], template=make_template(html=html))
    run = make_past_run(campaign, at=now, sent=3, failed=1, opens_people=2, bounced_hard=1)
    rows = [make_delivery(run, person, clicks=1, clicked_at=now) for person in people]
    for row, state in zip(rows, ("sent", "failed", "unconfirmed", "sent"), strict=True):
        doubted = now if state == "unconfirmed" else None
        Delivery.objects.filter(pk=row.pk).update(
            state=state, finished_at=now, attempted_at=now, doubted_at=doubted, attempts=1,
            diagnostic="no such user",
        )  # fmt: skip
    feedback.note_failures([feedback.Failure(rows[1].pk, Category.RATE)], now=now)
    RunCounters.objects.filter(run=run).update(sent=2, unconfirmed=1, sent_at=now)
    HourTally.objects.create(run=run, hour=now.replace(minute=0, second=0), sent=3)
    DomainTally.objects.create(run=run, domain="example.org", sent=3, failed=1, bounced_hard=1)
    ReasonTally.objects.create(run=run, kind="bounced", reason="mailbox_full", count=1)
    Link.objects.create(version=run.version, number=0, target="https://a.example/", label="Read")
    return run


def webhook() -> Endpoint:
    """Return one that fails, with something in its log."""
    endpoint = make_endpoint()
    Endpoint.objects.update(failures=1, failing_since=timezone.now())
    make_call(endpoint, at=timezone.now())
    done = make_call(endpoint, at=timezone.now())
    Call.objects.filter(pk=done.pk).update(state=CallState.GIVEN_UP, next_at=None, status=503)
    return endpoint


def make_mjml() -> EmailTemplate:
    text = Block(BlockKind.TEXT, text="Hello")
    source = compose(BLANK.__class__(BLANK.before, (text,), BLANK.after))
    return create_template("News", subject="News", source=source, known=(), kind=Kind.MJML)


def importing(status: ImportStatus) -> Import:
    found = jobs.begin(io.BytesIO(b"email;name\nx@example.org;X\n"), name=f"{status}.csv")
    Import.objects.filter(pk=found.pk).update(
        status=status, addresses=1, rows=2, invalid=1, mailing_list=readers()
    )
    return found


# Pages that look different while there is nothing.
EMPTY = [
    "/",
    "/campaigns/",
    "/campaigns/calendar/",
    "/campaigns/new/",
    "/templates/",
    "/media/",
    "/recipients/",
    "/recipients/duplicates/",
    "/lists/",
    "/segments/",
    "/fields/",
    "/tags/",
    "/imports/",
    "/exports/",
    "/suppression/",
    "/reports/",
    "/reports/summaries/",
    "/ledger/",
    "/health/",
    "/transports/",
    "/senders/",
    "/webhooks/",
    "/account/keys/",
    "/account/2fa/webauthn/",
]
# What nothing answers to.
NO_MATCH = [
    "/campaigns/?q=nobody",
    "/templates/?q=nothing",
    "/media/?q=nothing",
    "/recipients/?q=nobody",
    "/suppression/?q=nobody",
    "/ledger/?q=nobody@example.org",
    "/audit/?who=nobody",
]
# Forms that are refused as they are.
FORMS = [
    "/campaigns/new/",
    "/templates/blank/",
    "/media/upload/",
    "/recipients/new/",
    "/lists/new/",
    "/segments/new/",
    "/fields/new/",
    "/tags/new/",
    "/suppression/add/",
    "/imports/new/",
    "/transports/new/",
    "/senders/new/",
    "/webhooks/new/",
    "/users/add/",
    "/account/keys/add/",
]


def everything(by: User) -> list[str]:
    """Make something of everything, and return the addresses of the pages about it."""
    readers(55)
    return [
        *_of_campaigns(),
        *_of_runs(),
        *_of_templates(),
        *_of_people(by),
        *_of_the_installation(by),
    ]


def _of_campaigns() -> list[str]:
    at_first, later = draft("Draft"), scheduled("Scheduled")
    sending = flying("Sending").campaign_id
    held = flying("Held", status=RunStatus.HELD).campaign_id
    page = f"/campaigns/{at_first.pk}/"
    steps = ("", "content/", "audience/", "schedule/", "check/", "confirm/", "test/", "copy/")
    return [
        "/",
        "/campaigns/",
        "/campaigns/calendar/",
        "/reports/",
        *(f"{page}{step}" for step in steps),
        f"{page}delete/",
        f"{page}report/",
        f"{page}audience/?show=receiving",
        f"{page}audience/?address=nobody@example.org",
        f"/campaigns/{later.pk}/",
        f"/campaigns/{later.pk}/content/",
        f"/campaigns/{later.pk}/withdraw/",
        *(f"/campaigns/{sending}/{verb}" for verb in ("", "pause/", "cancel/")),
        *(f"/campaigns/{held}/{verb}" for verb in ("", "resume/")),
    ]


def _of_runs() -> list[str]:
    run = ended()
    done = f"/runs/{run.pk}/"
    campaign = f"/campaigns/{run.campaign_id}/"
    others = [
        flying(f"In the air: {status}", status=status)
        for status in (RunStatus.SENDING, RunStatus.PAUSED, RunStatus.HELD, RunStatus.CANCELLED)
    ]
    delivery = Delivery.objects.filter(run=run, state="failed").get()
    return [
        done,
        *(f"/runs/{other.pk}/" for other in others),
        f"/runs/{others[0].pk}/report/",
        f"{done}doubts/",
        *(f"{done}report/{page}" for page in ("", "links/", "domains/", "failures/")),
        f"{done}report/people/?did=clicked",
        *(f"{campaign}report/{page}" for page in ("links/", "domains/", "failures/")),
        f"/reports/?campaign={run.campaign_id}",
        "/reports/summaries/",
        f"/ledger/?run={run.pk}",
        f"/ledger/?run={run.pk}&state=failed",
        f"/ledger/{delivery.pk}/",
    ]


def _of_templates() -> list[str]:
    template, file = make_mjml(), make_file()
    page = f"/templates/{template.pk}/"
    return [
        "/templates/",
        *(f"/templates/{verb}/" for verb in ("new", "import", "blank")),
        *(f"{page}{verb}" for verb in ("", "edit/", "blocks/", "preview/", "test/", "delete/")),
        f"{page}versions/?from=1&to=1",
        f"{page}versions/1/preview/",
        f"{page}versions/1/restore/",
        "/media/",
        "/media/upload/",
        f"/media/{file.pk}/",
        f"/media/{file.pk}/delete/",
    ]


def _of_people(by: User) -> list[str]:
    form, segment, vip = make_form(), make_segment(), Tag.objects.create(name="VIP")
    city = Field.objects.create(name="city", kind=FieldKind.CHOICE, choices=["Hanoi"])
    someone = Recipient.objects.subscribed_to(readers()).latest("pk")
    Tagging.objects.create(tag=vip, recipient=someone)
    gone = Suppression.objects.create(key=someone.key, reason="complaint", source="a report")
    exporting.ask_for(Filter(), form=ExportFormat.CSV, by=by, now=timezone.now())
    files = {status: importing(status) for status in ImportStatus}
    to_map = files.pop(ImportStatus.MAPPING)
    person, birds = f"/recipients/{someone.pk}/", f"/lists/{form.mailing_list_id}/"
    verbs = ("", "edit/", "subscribe/", "suppress/", "hand-out/", "erase/", "merge/", "consent/")
    return [
        "/recipients/",
        f"/recipients/?list={readers().pk}&tag={vip.pk}&count=1",
        "/recipients/new/",
        *(f"{person}{verb}" for verb in (*verbs, "history/")),
        "/lists/",
        "/lists/new/",
        *(f"{birds}{verb}" for verb in ("", "edit/", "forms/new/", f"forms/{form.pk}/", "growth/")),
        "/segments/",
        "/segments/new/",
        *(f"/segments/{segment.pk}/{verb}" for verb in ("", "delete/")),
        "/fields/",
        "/fields/new/",
        *(f"/fields/{city.pk}/{verb}" for verb in ("", "delete/")),
        "/tags/",
        "/tags/new/",
        *(f"/tags/{vip.pk}/{verb}" for verb in ("", "delete/")),
        "/suppression/",
        "/suppression/add/",
        f"/suppression/{gone.pk}/lift/",
        "/exports/",
        "/imports/",
        "/imports/new/",
        f"/imports/{to_map.pk}/columns/",
        *(f"/imports/{each.pk}/" for each in files.values()),
        f"/imports/{files[ImportStatus.DONE].pk}/undo/",
    ]


def _of_the_installation(by: User) -> list[str]:
    relay = Transport.objects.create(name="Relay", encrypted_url="")
    sender = Campaign.objects.latest("pk").sender_id
    other = User.objects.create_user("mai", email="mai@example.org")
    endpoint = webhook()
    key = make_key(by, name="A program", scopes=["campaigns.view_run"], now=timezone.now()).key
    return [
        "/health/",
        "/transports/",
        "/transports/new/",
        *(f"/transports/{relay.pk}/{verb}" for verb in ("", "test/", "delete/")),
        "/senders/",
        "/senders/new/",
        *(f"/senders/{sender}/{verb}" for verb in ("", "delete/")),
        "/webhooks/",
        "/webhooks/new/",
        *(f"/webhooks/{endpoint.pk}/{verb}" for verb in ("", "edit/", "secret/", "delete/")),
        "/users/",
        "/users/add/",
        f"/users/{other.pk}/",
        "/audit/",
        "/account/",
        "/account/profile/",
        "/account/keys/",
        "/account/keys/add/",
        f"/account/keys/{key.pk}/revoke/",
        "/account/sessions/",
        "/account/password/change/",
        "/account/2fa/",
        "/account/2fa/webauthn/",
    ]
