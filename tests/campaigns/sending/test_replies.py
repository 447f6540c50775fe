from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.sending.replies import NoReply, Replies

THREE = b"250-one\r\n250 two\r\n354 go\n421-4.3.2 Closing\r\n421-\r\n421\r\n"


def read(*pieces: bytes) -> tuple[list[tuple[int, bytes]], Replies]:
    """Return the replies found as the pieces come."""
    replies = Replies()
    found = []
    for piece in pieces:
        replies.feed(piece)
        while reply := replies.next():
            found.append(reply)
    return found, replies


@given(st.sets(st.integers(min_value=0, max_value=len(THREE))))
def test_replies_are_the_same_however_their_bytes_come(cuts: set[int]) -> None:
    ends = [0, *sorted(cuts), len(THREE)]

    found, replies = read(*(THREE[start:end] for start, end in pairwise(ends)))

    assert found == [(250, b"one\ntwo"), (354, b"go"), (421, b"4.3.2 Closing\n\n")]
    assert not replies.unread


@pytest.mark.parametrize("early", [b"2", b"250 ok", b"250-ok\r\n", b"250-\r\n", b"250-ok\r\n2"])
def test_what_is_no_whole_reply_yet_is_unread(early: bytes) -> None:
    found, replies = read(b"250 taken\r\n" + early)

    assert found == [(250, b"taken")]
    assert replies.unread


@pytest.mark.parametrize(
    "answer",
    [
        b"250-one\r\n421 4.3.2 Closing\r\n",
        b"250-one\r\ntwo\r\n",
        b"\r\n",
        b"150 no\r\n",
        b"2500 no\r\n",
        b"250-on and on\r\n" * 101,
        b"250 " + b"x" * 9_000,
        b"250 " + b"x" * 9_000 + b"\r\n",
    ],
)
def test_what_is_no_reply_is_refused(answer: bytes) -> None:
    with pytest.raises(NoReply):
        read(answer)
