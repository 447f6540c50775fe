"""All that is known of a campaign before it is sent, and whether it may be scheduled."""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _

from campaigns import attachments, secrets
from campaigns.models import AcceptedWarning, Campaign, Preflight, Priority
from campaigns.preflight import content, dry_run, hosts
from campaigns.preflight.content import Content, Facts
from campaigns.preflight.findings import Finding, Place, Severity, for_trial
from campaigns.sending.attached import files_of_campaign
from campaigns.sending.mailing import html_as_sent
from recipients.translatable import Translatable
from templates_app.drafts import Draft
from templates_app.models import TemplateVersion
from tracking import measuring

# What others were asked (the DNS, web pages) is of use for so long.
FRESH = timedelta(days=1)
_SIGNATURES = 2_000  # bytes, more than two of DKIM have
_ORDER = list(Severity)


class Blocked(Exception):
    """It may not be scheduled; the text says why, and how warnings are accepted."""


@dataclass(frozen=True, slots=True)
class Verdict:
    fingerprint: str
    """Of what was judged."""
    findings: list[Finding]
    """Errors first."""
    accepted: dict[str, AcceptedWarning]
    """By the name of the warning."""
    preflight: Preflight | None
    """The newest one of this content, audience and sender; None where it is out of date."""

    def of(self, severity: Severity) -> list[Finding]:
        return [each for each in self.findings if each.severity is severity]

    @property
    def errors(self) -> list[Finding]:
        return self.of(Severity.ERROR)

    @property
    def open_warnings(self) -> list[Finding]:
        """Those that nobody has accepted."""
        return [each for each in self.of(Severity.WARNING) if each.name not in self.accepted]

    @property
    def open_names(self) -> list[str]:
        return list(dict.fromkeys(each.name for each in self.open_warnings))

    @property
    def may_be_scheduled(self) -> bool:
        return not (self.errors or self.open_warnings)


def judge(campaign: Campaign, version: TemplateVersion, *, now: datetime) -> Verdict:
    """Make the quick checks, and add what the newest preflight found if nothing has changed."""
    key = fingerprint(campaign, version)
    newest = campaign.preflights.order_by("-pk").first()
    if newest and (newest.fingerprint != key or newest.started_at < now - FRESH):
        newest = None
    findings = static_findings(campaign, version)
    findings += found_by(newest) if newest else []
    if hosts.is_reserved(campaign.sender.address.rpartition("@")[2]):
        findings = for_trial(findings)
    findings.sort(key=lambda each: _ORDER.index(each.severity))
    accepted = campaign.accepted_warnings.filter(fingerprint=key)
    return Verdict(key, findings, {each.name: each for each in accepted}, newest)


def require(verdict: Verdict, *, accepted: Collection[str] = ()) -> None:
    """Pass a campaign without errors, whose warnings are all accepted, now or before.

    :raises Blocked:
    """
    if verdict.errors:
        raise Blocked(_listed(verdict.errors))
    asking = [each for each in verdict.open_warnings if each.name not in accepted]
    if asking:
        names = ", ".join(dict.fromkeys(each.name for each in asking))
        raise Blocked(
            _("%(asking)s — mend it, or accept by name: %(names)s")
            % {"asking": _listed(asking), "names": names}
        )


def fingerprint(campaign: Campaign, version: TemplateVersion) -> str:
    """Return a digest of what a preflight judges; what changes it makes the preflight stale."""
    sender = campaign.sender
    sides = (
        campaign.lists,
        campaign.segments,
        campaign.excluded_lists,
        campaign.excluded_segments,
    )
    whole = [
        version.digest,
        [campaign.name, campaign.priority, campaign.unconfirmed_policy],
        [str(campaign.late_limit), str(campaign.time_to_live)],
        measuring.mode(campaign.tracking, lists=campaign.lists.all()),
        [sender.display_name, sender.address, sender.reply_to, sender.postal_address],
        [sender.envelope_domain, sender.dkim_domain],
        [[[each.pk, getattr(each, "rules", "")] for each in side.order_by("pk")] for side in sides],
        files_of_campaign(campaign),
        list(sender.routes.order_by("pk").values_list("transport__encrypted_url", "weight")),
    ]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def static_findings(campaign: Campaign, version: TemplateVersion) -> list[Finding]:
    """Return what can be said without asking anybody."""
    facts = _facts(campaign)
    findings = content.check_sender(facts)
    for each in _contents(campaign, version):
        findings += content.check_content(each, facts)
    return findings


def found_by(preflight: Preflight) -> list[Finding]:
    """Return what the steps of a preflight have found so far."""
    done = preflight.steps.exclude(findings=[]).order_by("pk").values_list("findings", flat=True)
    stored = [Finding.of(found) for findings in done for found in findings]
    tally = dry_run.tally_of(preflight)
    sizes = _too_large(preflight.campaign, *tally.largest)
    # What each slice of the audience says is said once.
    return [*dry_run.findings(tally), *sizes, *dict.fromkeys(stored)]


def _too_large(campaign: Campaign, size: int, whose: int) -> Iterator[Finding]:
    """Say which transports do not take the largest message, with its files and signatures."""
    try:
        why = attachments.why_too_large(campaign, size + _SIGNATURES)
    except secrets.Undecipherable as error:
        why = Translatable(
            "how large a message may be is not known, because of a transport's URL: %(error)s",
            {"error": str(error)},
        )
    if why:
        remedy = Translatable(
            "Choose smaller files on the campaign's page, or link to them in the text."
        )
        at, about = Place.CAMPAIGN, (whose,) if whose else ()
        yield Finding(Severity.ERROR, "size-refused", why, remedy, at, recipients=about)


def _facts(campaign: Campaign) -> Facts:
    sender = campaign.sender
    return Facts(
        sender_name=sender.display_name,
        sender_address=sender.address,
        reply_to=sender.reply_to,
        postal_address=sender.postal_address,
        is_urgent=campaign.priority == Priority.TRANSACTIONAL,
        site_url=settings.SITE_URL,
    )


def _contents(campaign: Campaign, version: TemplateVersion) -> Iterable[Content]:
    sent = html_as_sent(campaign, version)
    written = {each.language: each for each in Draft.from_json(version.source).written}
    for one in version.contents():
        author = written.get(one.language)
        yield Content(
            language=one.language,
            subject=one.subject,
            html=one.html,
            text=one.text,
            source=author.source if author else "",
            own_text=author.text if author else "",
            sent_html=sent[one.language],
        )


def _listed(findings: Iterable[Finding]) -> str:
    return "; ".join(f"{each} ({each.name})" for each in findings)
