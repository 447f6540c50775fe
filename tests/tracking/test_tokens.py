"""Tokens: what comes back is ours, of the right kind, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.tokens import BadToken, Hit, KeyRing, Kind, read, read_any, read_hit, sign, sign_hit

RING = KeyRing((b"a key for tests only", b"an older key, for tests"))
ALPHABET = "0123456789abcdef"

delivery_ids = st.integers(min_value=0, max_value=2**63 - 1)
kinds = st.sampled_from(Kind)


@given(kinds, delivery_ids)
def test_a_token_reads_back_in_either_case(kind: Kind, delivery_id: int) -> None:
    token = sign(kind, delivery_id, ring=RING)

    assert len(token) == 40
    assert set(token) <= set(ALPHABET)
    assert read(token, kind=kind, ring=RING) == delivery_id
    assert read(token.upper(), kind=kind, ring=RING) == delivery_id


@given(kinds, delivery_ids)
def test_a_token_is_the_same_each_time_and_another_for_another_delivery(
    kind: Kind, delivery_id: int
) -> None:
    token = sign(kind, delivery_id, ring=RING)

    assert token == sign(kind, delivery_id, ring=RING)
    assert token != sign(kind, delivery_id + 1, ring=RING)


@given(kinds, delivery_ids, st.integers(0, 39), st.sampled_from(ALPHABET))
def test_a_token_with_one_other_character_is_refused(
    kind: Kind, delivery_id: int, place: int, character: str
) -> None:
    token = sign(kind, delivery_id, ring=RING)
    changed = token[:place] + character + token[place + 1 :]
    if changed == token:
        return

    with pytest.raises(BadToken):
        read(changed, kind=kind, ring=RING)


@given(kinds, kinds, delivery_ids)
def test_a_token_of_one_kind_is_none_of_another(kind: Kind, other: Kind, delivery_id: int) -> None:
    if kind is other:
        return

    token = sign(kind, delivery_id, ring=RING)

    with pytest.raises(BadToken):
        read(token, kind=other, ring=RING)
    assert read_any(token, kinds=[other], ring=RING) is None
    assert read_any(token, kinds=[other, kind], ring=RING) == (kind, delivery_id)


def test_a_token_of_an_older_key_still_reads() -> None:
    before = KeyRing((b"an older key, for tests",))

    token = sign(Kind.UNSUBSCRIBE, 7, ring=before)

    assert read(token, kind=Kind.UNSUBSCRIBE, ring=RING) == 7
    assert token != sign(Kind.UNSUBSCRIBE, 7, ring=RING)


def test_a_token_of_a_strange_key_is_refused() -> None:
    token = sign(Kind.BOUNCE, 7, ring=KeyRing((b"somebody else's key",)))

    with pytest.raises(BadToken):
        read(token, kind=Kind.BOUNCE, ring=RING)


@given(
    st.text()
    | st.text(ALPHABET + ALPHABET.upper() + "=-_gz\u017f\u0131\u0660é", min_size=38, max_size=42)
    | st.text(ALPHABET, min_size=40, max_size=40)
)
def test_anything_else_is_refused_and_nothing_worse(text: str) -> None:
    with pytest.raises(BadToken):
        read(text, kind=Kind.MESSAGE, ring=RING)


def test_a_token_of_a_megabyte_is_refused() -> None:
    with pytest.raises(BadToken):
        read("a" * 1_000_000, kind=Kind.MESSAGE, ring=RING)


@pytest.mark.parametrize("keys", [(), (b"short",), (b"long enough for one", b"short")])
def test_a_ring_without_good_keys_is_refused(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        KeyRing(keys)


def test_a_ring_does_not_show_its_keys() -> None:
    assert "key for tests" not in repr(RING) + str(vars(RING))


HIT = Hit(delivery_id=2**40, run_id=7)


def test_the_token_of_a_hit_names_delivery_and_run_in_32_characters() -> None:
    token = sign_hit(Kind.CLICK, HIT, ring=RING)

    assert len(token) == 32
    newer = KeyRing((b"a key of next year's", b"a key for tests only"))
    assert read_hit(token, kind=Kind.CLICK, ring=RING) == HIT
    assert read_hit(token, kind=Kind.CLICK, ring=newer) == HIT


@pytest.mark.parametrize("position", range(32))
def test_no_character_of_a_hits_token_can_be_changed(position: int) -> None:
    token = sign_hit(Kind.CLICK, HIT, ring=RING)
    other = "A" if token[position] != "A" else "B"

    with pytest.raises(BadToken):
        read_hit(token[:position] + other + token[position + 1 :], kind=Kind.CLICK, ring=RING)


@pytest.mark.parametrize("token", ["", "x" * 31, "x" * 33, "é" * 32, "=" * 32, "\n" * 32])
def test_what_is_no_token_of_a_hit_is_refused(token: str) -> None:
    with pytest.raises(BadToken):
        read_hit(token, kind=Kind.OPEN, ring=RING)


def test_an_open_never_passes_as_a_click() -> None:
    with pytest.raises(BadToken):
        read_hit(sign_hit(Kind.OPEN, HIT, ring=RING), kind=Kind.CLICK, ring=RING)
