"""The links of a message: who followed each."""

from dataclasses import dataclass

from django.db import connection
from django.db.models import QuerySet

from campaigns.models import Run

# A place that nobody followed stands in the list, too.
_OF_RUN = """
SELECT link.number, link.label, link.target, link.language,
       coalesce(tally.people, 0), coalesce(tally."unique", 0), coalesce(tally.total, 0)
  FROM campaigns_run AS run
  JOIN tracking_link AS link ON link.version_id = run.version_id
  LEFT JOIN tracking_linktally AS tally ON tally.run_id = run.id AND tally.number = link.number
 WHERE run.id = %s
 ORDER BY link.number
"""
# Versions number their links each by themselves, so a campaign's are told apart by where they lead.
_OF_CAMPAIGN = """
SELECT min(link.number), min(link.label), link.target, '',
       coalesce(sum(tally.people), 0)::bigint, coalesce(sum(tally."unique"), 0)::bigint,
       coalesce(sum(tally.total), 0)::bigint
  FROM campaigns_run AS run
  JOIN tracking_link AS link ON link.version_id = run.version_id
  LEFT JOIN tracking_linktally AS tally ON tally.run_id = run.id AND tally.number = link.number
 WHERE run.id = ANY(%s)
 GROUP BY link.target
 ORDER BY 5 DESC, 1
"""


@dataclass(frozen=True, slots=True)
class FollowedLink:
    number: int
    """Of a run: the place in the message."""
    label: str
    target: str
    language: str
    people: int
    unique: int
    total: int

    @property
    def words(self) -> str:
        """What a reader sees of it, or else where it leads."""
        return self.label or self.target


def links_of_run(run_id: int) -> list[FollowedLink]:
    """Return each place of a run's message, in their order."""
    return _links(_OF_RUN, run_id)


def links_of_runs(runs: "QuerySet[Run]") -> list[FollowedLink]:
    """Return each target of a campaign's runs, what most people followed first.

    A recipient counts once for each place in each run.
    """
    return _links(_OF_CAMPAIGN, list(runs.order_by().values_list("pk", flat=True)))


def _links(statement: str, pk: int | list[int]) -> list[FollowedLink]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [pk])
        return [FollowedLink(*row) for row in cursor.fetchall()]
