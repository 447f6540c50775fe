"""Two people for a campaign: one asks, another one approves exactly this content and audience."""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import reasons
from campaigns.models import Approval, Campaign, Run
from campaigns.preflight import verdict

_FEW = 12  # characters of a fingerprint that tell two apart


class NotApproved(Exception):
    """It waits for a second person; the text says what for."""


def is_needed() -> bool:
    """Whether this installation wants a second person."""
    return bool(settings.TWO_PERSON_APPROVAL)


def of(campaign: Campaign, fingerprint: str) -> Approval | None:
    """Return what was asked, and perhaps approved, of this content and audience."""
    return campaign.approvals.filter(fingerprint=fingerprint).first()


def ask(campaign: Campaign, fingerprint: str, *, by: str, now: datetime) -> Approval:
    """Ask for an approval; asked once more for the same, the first one stands.

    :param by: the account that wants to send it.
    """
    asked, _made = Approval.objects.get_or_create(
        campaign=campaign, fingerprint=fingerprint, defaults={"asked_by": by, "asked_at": now}
    )
    return asked


@transaction.atomic
def approve(campaign: Campaign, fingerprint: str, *, by: str, now: datetime) -> Approval:
    """Approve what somebody else has asked for.

    :param fingerprint: of what the second person has looked at.
    :raises NotApproved: nobody has asked for it, or the same person has.
    """
    asked = Approval.objects.select_for_update().filter(campaign=campaign, fingerprint=fingerprint)
    approval = asked.first()
    if approval is None:
        raise NotApproved(_("nobody asks to send it as it is now; look at it again"))
    if approval.asked_by == by:
        raise NotApproved(_("you have asked for it yourself; another person has to approve it"))
    if not approval.approved_by:
        approval.approved_by, approval.approved_at = by, now
        approval.save(update_fields=["approved_by", "approved_at"])
    return approval


def require(campaign: Campaign, fingerprint: str) -> None:
    """Pass a campaign that was approved as it is, and any where no second person is wanted.

    :raises NotApproved:
    """
    if not is_needed():
        return
    approval = of(campaign, fingerprint)
    if approval is None:
        raise NotApproved(
            _(
                "a second person has to approve it; ask for that on its page, where"
                " content and audience are %(fingerprint)s now"
            )
            % {"fingerprint": fingerprint[:_FEW]}
        )
    if not approval.approved_by:
        raise NotApproved(
            _("it waits for a second person since %(asked_by)s has asked")
            % {"asked_by": approval.asked_by}
        )


def doubt(run: Run) -> str:
    """Return why a run that is just being fired has to wait for a person; empty where it may go.

    Content is frozen when it is scheduled; segments, settings of lists and senders are not.
    """
    try:
        require(run.campaign, verdict.fingerprint(run.campaign, run.version))
    except NotApproved:
        return reasons.NOT_AS_APPROVED
    return ""
