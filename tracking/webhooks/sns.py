"""Whether a message is from Amazon's SNS: its signature, and nothing that it says of itself.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

_HOST = r"https://sns\.[a-z]{2,3}(?:-[a-z]{2,12}){1,3}-\d{1,2}\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE = re.compile(_HOST + r"/SimpleNotificationService-[0-9a-zA-Z]{1,64}\.pem")
_CONFIRMATION = re.compile(_HOST + r"/\?Action=ConfirmSubscription&[\x21-\x7e]{1,2000}")

_HASHES = {"1": hashes.SHA1, "2": hashes.SHA256}
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMED = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMED,
    "UnsubscribeConfirmation": _CONFIRMED,
}
_SECONDS = 5.0
_LARGEST = 100_000  # bytes

Fetch = Callable[[str], bytes]


class Untrusted(Exception):
    """It is not from a topic of ours, or nothing proves that it is."""


class Unreachable(Exception):
    """Amazon does not answer, so nothing is known of the message: it is worth repeating."""


def fetch(url: str) -> bytes:
    """Return what is at a URL of Amazon's, and follow it nowhere else.

    :raises Unreachable:
    """
    try:
        with requests.get(url, timeout=_SECONDS, allow_redirects=False, stream=True) as answer:
            if answer.status_code != requests.codes.ok:
                raise Unreachable(f"{urlsplit(url).hostname} answers {answer.status_code}")
            content: bytes = answer.raw.read(_LARGEST, decode_content=True)
            return content
    except (requests.RequestException, OSError) as error:
        raise Unreachable(f"{urlsplit(url).hostname} cannot be reached") from error


class Verifier:
    """Verifies messages; what it has fetched, it keeps.

    :param fetch: gets what is at a URL, of which it is known that it is one of Amazon's
    """

    def __init__(self, fetch: Fetch = fetch) -> None:
        self._fetch = fetch
        self._key = lru_cache(maxsize=32)(self._key_at)

    def verify(self, message: Mapping[str, Any], *, topics: Collection[str]) -> None:
        """Let a message of one of our topics pass; anybody can have a topic, and sign with it.

        :raises Untrusted:
        :raises Unreachable: the certificate cannot be had
        """
        if message.get("TopicArn") not in topics:
            raise Untrusted("the topic is not one of AMAZON_SES_TOPICS")
        algorithm = _HASHES.get(str(message.get("SignatureVersion")))
        if algorithm is None:
            raise Untrusted("its signature is of no known version")
        key = self._key(_matching(_CERTIFICATE, message.get("SigningCertURL"), "certificate"))
        try:
            signature = b64decode(str(message.get("Signature")), validate=True)
            key.verify(signature, signed(message), PKCS1v15(), algorithm())
        except (binascii.Error, InvalidSignature):
            raise Untrusted("its signature is wrong") from None

    def confirm(self, message: Mapping[str, Any]) -> None:
        """Accept the subscription that a verified message asks for.

        :raises Untrusted:
        :raises Unreachable:
        """
        self._fetch(_matching(_CONFIRMATION, message.get("SubscribeURL"), "confirmation"))

    def _key_at(self, url: str) -> RSAPublicKey:
        try:
            key = load_pem_x509_certificate(self._fetch(url)).public_key()
        except ValueError:
            raise Untrusted("there is no certificate where it says") from None
        if not isinstance(key, RSAPublicKey):
            raise Untrusted("the certificate has no RSA key")
        return key


def signed(message: Mapping[str, Any]) -> bytes:
    """Return what is signed of a message: each field that it has, with its name before it.

    :raises Untrusted: it is of no known type
    """
    names = _SIGNED.get(str(message.get("Type")))
    if names is None:
        raise Untrusted("it is of no known type")
    told = [(name, message[name]) for name in names if name in message]
    return "".join(f"{name}\n{value}\n" for name, value in told).encode(errors="replace")


def _matching(form: re.Pattern[str], url: Any, what: str) -> str:
    if not isinstance(url, str) or not form.fullmatch(url):
        raise Untrusted(f"the address of its {what} is not one of Amazon's")
    return url
