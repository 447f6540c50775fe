"""What rules can speak of at this moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from recipients.models import Field, MailingList, Segment, Tag
from recipients.values import Kind, kinds_of


@dataclass(frozen=True, slots=True)
class Known:
    """The fields, lists, tags and segments that there are; of each there are few."""

    fields: Mapping[str, Kind]
    lists: Mapping[int, str]
    tags: Mapping[int, str]
    segments: Mapping[int, str]
    rules: Mapping[int, Any]
    """Of the segments."""

    @classmethod
    def load(cls) -> Self:
        segments = list(Segment.objects.order_by("name").values_list("pk", "name", "rules"))
        lists = MailingList.objects.order_by("name").values_list("pk", "name")
        tags = Tag.objects.order_by("name").values_list("pk", "name")
        return cls(
            fields=kinds_of(Field.objects.order_by("name")),
            lists=dict(lists),
            tags=dict(tags),
            segments={pk: name for pk, name, _ in segments},
            rules={pk: rules for pk, _, rules in segments},
        )

    def names(self, what: str) -> Mapping[int, str]:
        """Return the lists, tags or segments by their ids."""
        return {"list": self.lists, "tag": self.tags, "segment": self.segments}[what]
