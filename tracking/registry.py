"""The links of a version, each with its number: written down once, and the same ever after.

Numbers are given from 0 over all languages, the fallback first, in the order of the places. What
stands in the database holds, also where a later release would find other links.
"""

from collections import defaultdict
from collections.abc import Iterable

from templates_app.models import TemplateVersion, VersionVariant
from tracking.models import Link
from tracking.places import Measured, is_personal, location, measured_html, numbered_places

MOST = 32_768  # numbers that the column holds; links beyond are not counted
# Where a link leads of which each recipient has another one: the database has to be asked.
PERSONAL = ""


def links_of(version: TemplateVersion) -> list[Link]:
    """Return the links of a version by their numbers; they are written down if they were not."""
    if stored := _stored(version):
        return stored
    Link.objects.bulk_create(links_in(version), ignore_conflicts=True)
    return _stored(version)


def links_in(version: TemplateVersion) -> list[Link]:
    """Return the links that a version has, not saved."""
    found = [(one, place) for one in version.contents() for place in numbered_places(one.html)]
    return [
        Link(
            version=version,
            number=number,
            language=one.language,
            target=place.target,
            label=place.label,
        )
        for number, (one, place) in enumerate(found[:MOST])
    ]


def html_of(
    content: TemplateVersion | VersionVariant, links: Iterable[Link], measured: Measured
) -> str:
    """Return the HTML of a content as messages have it that are measured.

    :param links: of the version.
    """
    numbers: dict[str, list[int]] = defaultdict(list)
    for link in links:
        if link.language == content.language:
            numbers[link.target].append(link.number)
    return measured_html(content.html, numbers, measured)


def targets_of_run(run_id: int) -> list[str]:
    """Return where each number leads, as a `Location` has it, or PERSONAL."""
    links = Link.objects.filter(version__run=run_id).order_by("number")
    targets = links.values_list("target", flat=True)
    return [PERSONAL if is_personal(target) else location(target) for target in targets]


def _stored(version: TemplateVersion) -> list[Link]:
    return list(Link.objects.filter(version=version).order_by("number"))
