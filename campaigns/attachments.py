"""The files that campaigns attach: pinned when they are scheduled, and whether they may be sent."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns import secrets
from campaigns.models import (
    ACTIVE_RUN_STATUSES,
    Campaign,
    CampaignAttachment,
    CampaignStatus,
    Transport,
)
from campaigns.sending.attaching import encoded_size
from campaigns.sending.mailing import html_as_sent
from campaigns.sending.transports import largest_message
from recipients.translatable import Translatable
from templates_app.media import scanning, usage
from templates_app.media.usage import Use
from templates_app.models import MediaFile, TemplateVersion, VersionVariant
from templates_app.models.templates import Content

_MEGABYTE = 1_000_000
_HEADERS = 4_000  # bytes, more than a message of ours has

_ALLOWED = Translatable(
    "a message would have %(size).1f MB as it is sent, and MESSAGE_MB allows %(most)g MB at most;"
    " attach less, or link to it"
)
_TAKEN_BY_PROVIDER = Translatable(
    "a message would have %(size).1f MB as it is sent, and the provider takes %(most)g MB at most;"
    " attach less, or link to it"
)
_TAKEN_BY_TRANSPORT = Translatable(
    "a message would have %(size).1f MB as it is sent, and the transport %(transport)s takes"
    " %(most)g MB at most; attach less, or link to it"
)
_TAKEN_BY_PROVIDER_OF = Translatable(
    "a message would have %(size).1f MB as it is sent, and the provider of %(transport)s takes"
    " %(most)g MB at most; attach less, or link to it"
)


def choose(campaign: Campaign, files: Sequence[MediaFile]) -> None:
    """Have the campaign attach these files, in this order, when it is scheduled the next time."""
    rows = CampaignAttachment.objects.filter(campaign=campaign)
    left_out = rows.exclude(file__in=files)
    left_out.filter(blob=None).delete()
    left_out.update(is_wanted=False)
    CampaignAttachment.objects.bulk_create(
        (
            CampaignAttachment(campaign=campaign, file=file, position=position)
            for position, file in enumerate(dict.fromkeys(files))
        ),
        update_conflicts=True,
        unique_fields=["campaign", "file"],
        update_fields=["position", "is_wanted"],
    )


def pin(campaign: Campaign) -> None:
    """Have the campaign send the bytes that its files have now, whatever becomes of the files."""
    CampaignAttachment.objects.filter(campaign=campaign, is_wanted=False).delete()
    rows = list(CampaignAttachment.objects.wanted_by(campaign.pk).select_related("file"))
    for row in rows:
        row.blob_id = row.file.blob_id
    CampaignAttachment.objects.bulk_update(rows, ["blob"])


def why_not(campaign: Campaign, version: TemplateVersion) -> Translatable | None:
    """Return why the files that are pinned, and the content, cannot be sent; or None."""
    rows = CampaignAttachment.objects.pinned_by(campaign.pk).select_related("file", "blob")
    for row in rows:
        if row.blob and (doubt := scanning.doubts([row.blob])):
            return Translatable(
                "the attachment %(file)s: %(doubt)s", {"file": str(row.file), "doubt": doubt}
            )
    contents = version.contents()
    shown = usage.blobs_in("".join(one.html + one.text for one in contents))
    if doubt := scanning.doubts(shown):
        return Translatable("an image or file in the template: %(doubt)s", {"doubt": doubt})
    files = sum(encoded_size(row.blob.size) for row in rows if row.blob)
    html = html_as_sent(campaign, version)
    largest = max(_size(one, html[one.language]) for one in contents)
    return why_too_large(campaign, largest + files)


def uses(file: MediaFile) -> Iterable[Use]:
    """Return the campaigns that attach a file, or will send a content that shows its bytes."""
    is_open = Q(status__in=(CampaignStatus.DRAFT, CampaignStatus.SCHEDULED))
    is_sent = Q(runs__status__in=ACTIVE_RUN_STATUSES)
    shows = Q(version__in=_showing(file))
    shows_in_run = Q(runs__version__in=_showing(file)) & is_sent
    wanted = (
        (Q(attachments__file=file) & (is_open | is_sent))
        | (shows & Q(status=CampaignStatus.SCHEDULED))
        | shows_in_run
    )
    found = Campaign.objects.filter(wanted).distinct().order_by("pk")
    return [
        Use(_("campaign %(campaign)s") % {"campaign": campaign}, campaign) for campaign in found
    ]


def _showing(file: MediaFile) -> list[int]:
    mark = usage.mark_of(file.blob)
    holds = Q(html__contains=mark) | Q(text__contains=mark)
    variants = VersionVariant.objects.filter(holds).values_list("version", flat=True)
    return [*TemplateVersion.objects.filter(holds).values_list("pk", flat=True), *variants]


def _size(content: Content, html: str) -> int:
    """Return how large a message is at most, before its tags are filled in."""
    return _HEADERS + encoded_size(len(html.encode()) + len(content.text.encode()))


def why_too_large(campaign: Campaign, size: int) -> Translatable | None:
    """Return why a message of so many bytes cannot be sent, or None.

    :raises Undecipherable: the URL of a transport cannot be read.
    """
    for largest, who in _limits(campaign):
        if size > largest:
            return replace(
                who, values={**who.values, "size": size / _MEGABYTE, "most": largest / _MEGABYTE}
            )
    return None


def _limits(campaign: Campaign) -> Iterable[tuple[int, Translatable]]:
    yield settings.MESSAGE_MB * _MEGABYTE, _ALLOWED
    transports = [route.transport for route in campaign.sender.routes.select_related("transport")]
    if not transports and (most := largest_message(settings.EMAIL_URL)):
        yield most, _TAKEN_BY_PROVIDER
    for transport in transports:
        yield from _limits_of(transport)


def _limits_of(transport: Transport) -> Iterable[tuple[int, Translatable]]:
    named = {"transport": str(transport)}
    if transport.message_mb:
        yield transport.message_mb * _MEGABYTE, replace(_TAKEN_BY_TRANSPORT, values=named)
    if most := largest_message(secrets.decrypt(transport.encrypted_url)):
        yield most, replace(_TAKEN_BY_PROVIDER_OF, values=named)
