import pytest

from recipients.named_locks import alone


@pytest.mark.django_db
def test_what_one_does_alone_nobody_else_does_until_it_is_done() -> None:
    with alone("harvest") as ours, alone("harvest") as theirs, alone("sowing") as other:
        given = (ours, theirs, other)
    with alone("harvest") as again:
        pass

    assert given == (True, False, True)
    assert again


@pytest.mark.django_db
def test_who_fails_at_it_leaves_it_to_others() -> None:
    with pytest.raises(ZeroDivisionError), alone("harvest"):
        _ = 1 / 0

    with alone("harvest") as again:
        assert again
