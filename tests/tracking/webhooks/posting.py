"""Post what providers tell, as they do: in their form, signed by keys of ours."""

import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import md5, sha1, sha256
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from django.test import Client
from django.utils import timezone

from tracking.webhooks import sns
from tracking.webhooks.resend import signature

LOGIN = "godwit:a-long-random-password"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:godwit"
CERTIFICATE_URL = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1a2b3c.pem"
KEY = "a-signing-key-of-a-provider"
SVIX = "whsec_" + b64encode(b"a signing secret of Resend").decode()


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return "".join(pem.decode().splitlines()[1:-1])


@cache
def certificate() -> bytes:
    """Return a certificate of Amazon's, made by nobody but ourselves."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(rsa_key().public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .sign(rsa_key(), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def keys() -> dict[str, Any]:
    """Return settings of Anymail's with a key for each provider that signs."""
    return {
        "WEBHOOK_SECRET": [LOGIN],
        "AMAZON_SES_TOPICS": (TOPIC,),
        "MAILERSEND_SIGNING_SECRET": KEY,
        "MAILGUN_WEBHOOK_SIGNING_KEY": KEY,
        "MAILTRAP_TRACKING_SECRET": KEY,
        "MANDRILL_WEBHOOK_KEY": KEY,
        "POSTAL_WEBHOOK_KEY": _public(rsa_key()),
        "RESEND_WEBHOOK_SECRET": SVIX,
        "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY": _public(ec_key()),
        "UNISENDER_GO_API_KEY": KEY,
    }


SIGNING = (
    "amazon_ses", "mailersend", "mailgun", "mailtrap", "mandrill", "postal", "resend", "sendgrid",
    "unisender_go",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What a provider posts."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


def path(provider: str) -> str:
    return "/anymail/mandrill/" if provider == "mandrill" else f"/anymail/{provider}/tracking/"


def request(provider: str, raw: Any) -> Request:
    """Return an event in the form of its provider, signed."""
    return _FORMS.get(provider, _plain)(raw)


@cache
def _client() -> Client:
    # Once: it looks for all static files when it makes its first request.
    return Client(enforce_csrf_checks=True)


def send(provider: str, told: Request, *, login: str = LOGIN, client: Client | None = None) -> Any:
    """Post it; "" for a login: without one."""
    headers = dict(told.headers)
    if login:
        headers["Authorization"] = "Basic " + b64encode(login.encode()).decode()
    return (client or _client()).post(path(provider), told.body, told.content_type, headers=headers)


def _json(raw: Any) -> bytes:
    return json.dumps(raw).encode()


def _plain(raw: Any) -> Request:
    return Request(_json(raw))


def _batch(raw: Any) -> Request:
    return Request(_json([raw]))


def sns_message(raw: Any, *, version: str = "2", **more: str) -> dict[str, str]:
    told = raw if isinstance(raw, str) else json.dumps(raw)
    message = {
        "Type": "Notification",
        "MessageId": sha256(told.encode()).hexdigest()[:36],
        "TopicArn": TOPIC,
        "Message": told,
        "Timestamp": "2026-03-01T09:00:00.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
        **more,
    }
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - Amazon's own
    signed = rsa_key().sign(sns.signed(message), padding.PKCS1v15(), algorithm)
    return {"Signature": b64encode(signed).decode(), **message}


def sns_request(message: dict[str, str]) -> Request:
    headers = {
        "x-amz-sns-message-type": message["Type"],
        "x-amz-sns-message-id": message["MessageId"],
    }
    return Request(_json(message), headers, "text/plain; charset=UTF-8")


def _amazon(raw: Any) -> Request:
    return sns_request(sns_message(raw))


def _hmac(body: bytes) -> str:
    return hmac.new(KEY.encode(), body, sha256).hexdigest()


def _mailersend(raw: Any) -> Request:
    return Request(_json(raw), {"Signature": _hmac(_json(raw))})


def _mailgun(raw: Any) -> Request:
    # One token for one event, however often it is told.
    token, at = sha256(_json(raw)).hexdigest()[:50], "1772355600"
    signed = {"token": token, "timestamp": at, "signature": _hmac(f"{at}{token}".encode())}
    return Request(_json({"signature": signed, **raw}))


def _mailtrap(raw: Any) -> Request:
    body = _json({"events": [raw]})
    return Request(body, {"Mailtrap-Signature": _hmac(body)})


def _mandrill(raw: Any) -> Request:
    events = json.dumps([raw])
    url = f"http://{LOGIN}@testserver/anymail/mandrill/mandrill_events{events}"
    signed = hmac.new(KEY.encode(), url.encode(), sha1).digest()
    return Request(
        urlencode({"mandrill_events": events}).encode(),
        {"X-Mandrill-Signature": b64encode(signed).decode()},
        "application/x-www-form-urlencoded",
    )


def _postal(raw: Any) -> Request:
    signed = rsa_key().sign(_json(raw), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    return Request(_json(raw), {"X-Postal-Signature": b64encode(signed).decode()})


def _resend(raw: Any) -> Request:
    event_id = "msg_" + sha256(_json(raw)).hexdigest()[:24]
    at = str(int(timezone.now().timestamp()))
    signed = signature(f"{event_id}.{at}.".encode() + _json(raw), secret=SVIX).decode()
    headers = {"svix-id": event_id, "svix-timestamp": at, "svix-signature": f"v1,old= {signed}"}
    return Request(_json(raw), headers)


def _sendgrid(raw: Any) -> Request:
    at, body = "1772355600", _json([raw])
    signed = ec_key().sign(at.encode() + body, ec.ECDSA(hashes.SHA256()))
    return Request(
        body,
        {
            "X-Twilio-Email-Event-Webhook-Signature": b64encode(signed).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": at,
        },
    )


def _unisender_go(raw: Any) -> Request:
    event = {"event_name": "transactional_email_status", "event_data": raw}
    told = {"auth": KEY, "events_by_user": [{"user_id": 1, "events": [event]}]}
    signed = md5(_json(told)).hexdigest()  # noqa: S324 - Unisender's own
    return Request(_json({**told, "auth": signed}))


_FORMS: dict[str, Callable[[Any], Request]] = {
    "amazon_ses": _amazon,
    "mailersend": _mailersend,
    "mailgun": _mailgun,
    "mailjet": _batch,
    "mailtrap": _mailtrap,
    "mandrill": _mandrill,
    "postal": _postal,
    "resend": _resend,
    "sendgrid": _sendgrid,
    "sparkpost": _batch,
    "unisender_go": _unisender_go,
}
