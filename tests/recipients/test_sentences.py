import pytest

from recipients.sentences import sentence


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("it is done", "It is done."),
        (ValueError("'a..b': it cannot have two periods."), "'a..b': it cannot have two periods."),
    ],
)
def test_a_reason_ends_with_one_full_stop(reason: object, said: str) -> None:
    assert sentence(reason) == said
