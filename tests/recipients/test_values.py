import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipients.models import FieldKind
from recipients.values import LONGEST_TEXT, BadValue, Kind, in_digits

CHOICE = Kind(FieldKind.CHOICE, ("Gold", "Silver"))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Kind(FieldKind.TEXT), " Zürich ", "Zürich"),
        (Kind(FieldKind.TEXT), "Zu\u0308rich\u00a0West", "Zürich West"),
        (Kind(FieldKind.TEXT), "क्\u200cष\n2", "क्\u200cष\n2"),
        (Kind(FieldKind.CHOICE, ("Café\u00a0au lait",)), "cafe\u0301 au lait", "Café\u00a0au lait"),
        (Kind(FieldKind.NUMBER), "12", 12),
        (Kind(FieldKind.NUMBER), "-3.50", -3.5),
        (Kind(FieldKind.NUMBER), "+7", 7),
        (Kind(FieldKind.DATE), "2024-02-29", "2024-02-29"),
        (Kind(FieldKind.BOOLEAN), "Yes", True),
        (Kind(FieldKind.BOOLEAN), "0", False),
        (CHOICE, "gold", "Gold"),
    ],
)
def test_a_value_is_read_by_its_kind(kind: Kind, text: str, value: object) -> None:
    found = kind.read(text)

    assert found == value
    assert type(found) is type(value)
    assert kind.check(found) == found


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (Kind(FieldKind.TEXT), "x" * (LONGEST_TEXT + 1), "longer than 10,000 characters"),
        (Kind(FieldKind.NUMBER), "1,5", "no number like 12"),
        (Kind(FieldKind.NUMBER), "1e5", "no number like 12"),
        (Kind(FieldKind.NUMBER), "NaN", "no number like 12"),
        (Kind(FieldKind.NUMBER), "٣", "no number like 12"),
        (Kind(FieldKind.NUMBER), "9" * 16, "no number like 12"),
        (Kind(FieldKind.DATE), "2023-02-29", "no date like 2026-12-04"),
        (Kind(FieldKind.DATE), "04.12.2026", "no date like 2026-12-04"),
        (Kind(FieldKind.BOOLEAN), "perhaps", "neither yes nor no"),
        (CHOICE, "Bronze", "none of Gold, Silver"),
    ],
)
def test_what_is_no_value_is_refused_with_what_to_write(kind: Kind, text: str, reason: str) -> None:
    with pytest.raises(BadValue, match=reason):
        kind.read(text)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FieldKind.NUMBER, True),
        (FieldKind.NUMBER, float("nan")),
        (FieldKind.NUMBER, 10**16),
        (FieldKind.BOOLEAN, 1),
        (FieldKind.DATE, 20241231),
        (FieldKind.TEXT, None),
        (FieldKind.TEXT, ["a"]),
    ],
)
def test_what_json_has_must_be_of_the_kind(kind: FieldKind, value: object) -> None:
    with pytest.raises(BadValue):
        Kind(kind).check(value)


@given(st.text(max_size=40), st.sampled_from([kind for kind in FieldKind if kind != "choice"]))
def test_whatever_is_written_is_refused_or_can_be_stored(text: str, kind: FieldKind) -> None:
    try:
        value = Kind(kind).read(text)
    except BadValue:
        return

    assert json.loads(json.dumps(value)) == value


@given(st.from_regex(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", fullmatch=True))
def test_a_number_is_read_again_as_it_is_written_out(text: str) -> None:
    number = Kind(FieldKind.NUMBER).read(text)
    assert isinstance(number, int | float)

    assert Kind(FieldKind.NUMBER).read(in_digits(number)) == number
