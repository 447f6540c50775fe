import re

import pytest
from django.utils.translation import override

from campaigns import reasons
from recipients.translatable import Translatable

REFUSED = reasons.REFUSED % {
    "part": "12.5",
    "base": "2,000",
    "group": "google",
    "limit": "5",
}


@pytest.mark.parametrize("form", reasons._FORMS)
def test_each_form_is_known_by_what_is_made_of_it(form: str) -> None:
    parts = {name: f"a {name}" for name in re.findall(r"%\((\w+)\)s", form)}

    known = reasons.known(form % parts)

    assert known == Translatable(form, parts)


def test_in_english_a_reason_is_read_as_it_was_written() -> None:
    with override("en"):
        assert reasons.read(REFUSED) == REFUSED


def test_what_is_no_form_of_ours_stays_as_it_is() -> None:
    with override("vi"):
        assert reasons.read("550 5.7.1 go away") == "550 5.7.1 go away"


def test_a_reason_within_a_reason_is_known() -> None:
    said = reasons.BAD_KEY % {"key": "a._domainkey.b.org", "error": reasons.OTHER_SECRET}

    known = reasons.known(said)

    within = {"key": "a._domainkey.b.org", "error": Translatable(reasons.OTHER_SECRET)}
    assert known == Translatable(reasons.BAD_KEY, within)
