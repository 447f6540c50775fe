import hmac

from hypothesis import given
from hypothesis import strategies as st

from recipients.digests import digest


@given(st.text(max_size=100), st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_a_digest_is_that_of_rfc_2104(secret: str, key: str) -> None:
    secret = secret.encode("utf-8", "replace").decode()

    found = digest(key, secret=secret)

    assert found == hmac.digest(secret.encode(), key.encode(), "sha256")
