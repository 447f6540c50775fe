import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from campaigns.webhooks.signing import BadSecret, headers, key_of, new_secret

# The example that the libraries of Standard Webhooks test themselves by.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def is_signed(body: bytes, sent: dict[str, str], secret: str) -> bool:
    """Verify as the specification tells a receiver to, by nothing of ours."""
    key = base64.b64decode(secret.split("_", 1)[1])
    content = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    given = [part.split(",", 1) for part in sent["webhook-signature"].split(" ")]
    return any(version == "v1" and signature == expected for version, signature in given)


def test_the_signature_is_that_of_the_published_example() -> None:
    made = headers(ID, BODY, secrets=[SECRET], now=AT)

    assert made == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_a_receiver_with_either_of_two_secrets_takes_it_and_with_another_none() -> None:
    first, second = new_secret(), new_secret()

    made = headers(ID, BODY, secrets=[first, second], now=AT)

    assert is_signed(BODY, made, first)
    assert is_signed(BODY, made, second)
    assert not is_signed(BODY, made, new_secret())
    assert not is_signed(BODY + b" ", made, first)


def test_a_secret_is_base64_of_as_many_bytes_as_the_specification_wants() -> None:
    made = new_secret()

    assert made.startswith("whsec_")
    assert 24 <= len(key_of(made)) <= 64
    for bad in ("whsec_no base64!", f"whsec_{base64.b64encode(b'x' * 23).decode()}"):
        with pytest.raises(BadSecret):
            key_of(bad)
