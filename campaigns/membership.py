"""Who is in a campaign's audience, and who of it is left out: one statement, whoever asks.

The snapshot writes what it says into the ledger, and the preview counts it; so they cannot differ.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns.models import Campaign
from recipients.models import Segment
from recipients.segments.compiling import Condition, compile_rules
from recipients.segments.grammar import BadRules
from recipients.segments.known import Known

EVERYBODY: Mapping[str, Any] = {"after": 0, "upto": 2**63 - 1, "size": None}

# Everybody who stands on one of the campaign's lists, in whatever state, in order of recipient. Of
# each list as many as the slice may have, by the index of its subscriptions: a slice costs the same
# at the end of a million as at its beginning.
_LISTED = """
    SELECT subscription.recipient_id,
           bool_or(subscription.state = 'confirmed') AS confirmed,
           bool_or(subscription.state = 'unsubscribed') AS unsubscribed,
           false AS answers
      FROM campaigns_campaign_lists audience
     CROSS JOIN LATERAL (SELECT recipient_id, state
                           FROM recipients_subscription
                          WHERE mailing_list_id = audience.mailinglist_id
                            AND recipient_id > %(after)s AND recipient_id <= %(upto)s
                          ORDER BY recipient_id
                          LIMIT %(size)s) AS subscription
     WHERE audience.campaign_id = %(campaign)s
     GROUP BY subscription.recipient_id
     ORDER BY subscription.recipient_id
     LIMIT %(size)s
"""

# The same, and everybody who answers to one of the segments. All of these are asked in one walk
# through the recipients, which goes no further than the lists fill the slice: so all slices
# together walk through them about once, however few answer.
_LISTED_OR_ANSWERING = f"""
    WITH listed AS MATERIALIZED ({_LISTED}),
    answering AS (
        SELECT recipient.id
          FROM recipients_recipient recipient
         WHERE recipient.id > %(after)s
           AND recipient.id <= coalesce((SELECT CASE WHEN count(*) = %(size)s
                                                     THEN max(recipient_id) END FROM listed),
                                        %(upto)s)
           AND {{answers}}
         ORDER BY recipient.id
         LIMIT %(size)s)
    SELECT coalesce(listed.recipient_id, answering.id) AS recipient_id,
           coalesce(listed.confirmed, false) AS confirmed,
           coalesce(listed.unsubscribed, false) AS unsubscribed,
           answering.id IS NOT NULL AS answers
      FROM listed FULL JOIN answering ON answering.id = listed.recipient_id
     ORDER BY 1
     LIMIT %(size)s
"""

# Who is left out gets a row as well, with one reason: the first that holds. One confirmed
# subscription to a list of the campaign is enough; who answers to a segment needs one to any list,
# and must not have left one of the campaign's. (`OFFSET 0`: one look for each reason.)
_JUDGED = """
    SELECT member.recipient_id, recipient.address, recipient.key, recipient.domain,
           CASE WHEN reason.word <> '' THEN 'skipped' ELSE %(state)s END AS state,
           reason.word AS skip_reason
      FROM ({members}) AS member
      JOIN recipients_recipient recipient ON recipient.id = member.recipient_id
     CROSS JOIN LATERAL (SELECT CASE
           WHEN EXISTS (SELECT 1 FROM recipients_suppression suppression
                         WHERE suppression.key IN (recipient.key, recipient.domain))
                THEN 'suppressed'
           WHEN NOT (member.confirmed
                     OR (member.answers AND NOT member.unsubscribed
                         AND EXISTS (SELECT 1 FROM recipients_subscription
                                      WHERE recipient_id = recipient.id AND state = 'confirmed')))
                THEN CASE WHEN member.unsubscribed
                            OR (member.answers
                                AND EXISTS (SELECT 1 FROM recipients_subscription
                                             WHERE recipient_id = recipient.id
                                               AND state = 'unsubscribed'))
                          THEN 'unsubscribed' ELSE 'unconfirmed_opt_in' END
           {excluded}
           WHEN recipient.paused_until > (%(now)s AT TIME ZONE 'UTC')::date THEN 'paused'
           ELSE '' END AS word OFFSET 0) AS reason
"""

# Who has left the list that is excluded is not on it any more.
_ON_EXCLUDED_LIST = """
    EXISTS (SELECT 1 FROM recipients_subscription
             WHERE recipient_id = recipient.id AND mailing_list_id = ANY(%(excluded_lists)s)
               AND state <> 'unsubscribed')
"""


@dataclass(frozen=True, slots=True)
class Membership:
    """A SELECT of (recipient_id, address, key, domain, state, skip_reason), a row for each member.

    It takes, beside `params`: `after` and `upto`, between which the ids of its recipients lie;
    `size`, how many of them at most, in order, None for all; `state`, of who is not left out; and
    `now`.
    """

    sql: str
    params: Mapping[str, Any]
    walks: bool
    """Whether it looks at each recipient between these ids, because there are segments."""


def membership(campaign: Campaign, *, at: datetime) -> Membership:
    """Return the statement for a campaign; times in its segments are relative to `at`.

    :raises BadRules: a segment cannot be read any more.
    """
    params: dict[str, Any] = {"campaign": campaign.pk}
    members = _LISTED
    if segments := list(campaign.segments.all()):
        answers = answering(segments, at=at, prefix="included")
        members = _LISTED_OR_ANSWERING.format(answers=answers.sql)
        params |= answers.params
    excluded = _excluded(campaign, at=at)
    when = f"WHEN {excluded.sql} THEN 'excluded'" if excluded.sql else ""
    sql = _JUDGED.format(members=members, excluded=when)
    return Membership(sql, {**params, **excluded.params}, walks=bool(segments))


def answering(segments: Iterable[Segment], *, at: datetime, prefix: str) -> Condition:
    """Return the condition that a `recipient` answers to one of the segments.

    :raises BadRules: one cannot be read any more.
    """
    known = Known.load()
    compiled = [
        _compiled(segment, known, at=at, prefix=f"{prefix}_{segment.pk}_") for segment in segments
    ]
    params = {name: value for each in compiled for name, value in each.params.items()}
    return Condition(f"({' OR '.join(f'({each.sql})' for each in compiled)})", params)


def _compiled(segment: Segment, known: Known, *, at: datetime, prefix: str) -> Condition:
    try:
        return compile_rules(segment.rules, now=at, prefix=prefix, known=known, within=[segment.pk])
    except BadRules as error:
        raise BadRules(f"segment {segment}: {error}") from None


def _excluded(campaign: Campaign, *, at: datetime) -> Condition:
    """Return the condition that a `recipient` is excluded; empty where nobody can be."""
    conditions, params = [], {}
    if lists := list(campaign.excluded_lists.values_list("pk", flat=True)):
        conditions.append(_ON_EXCLUDED_LIST)
        params["excluded_lists"] = lists
    if segments := list(campaign.excluded_segments.all()):
        answers = answering(segments, at=at, prefix="excluded")
        conditions.append(answers.sql)
        params |= answers.params
    return Condition(" OR ".join(conditions), params)
