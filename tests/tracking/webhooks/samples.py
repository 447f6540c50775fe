"""What providers tell of a message: after their documentation, and of nobody who exists."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

AT = 1_772_355_600  # 2026-03-01 09:00 UTC
ISO = "2026-03-01T09:00:00"
UNKNOWN_USER = "550 5.1.1 <ada@example.org>: Recipient address rejected: User unknown"
FULL = "452 4.2.2 The email account that you tried to reach is over quota"
SPAM = "550 5.7.1 Message rejected as spam by Content Filtering"
Raw = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """A message of ours that a provider has."""

    token: str
    """Of its Message-ID, and in its metadata."""
    address: str = "ada@example.org"

    @property
    def metadata(self) -> str:
        return json.dumps({"delivery": self.token})


@dataclass(frozen=True)
class Sample:
    """An event: what it is called in tests, what is told, and the facts that it makes."""

    name: str
    raw: Raw
    facts: tuple[tuple[str, str, bool], ...] = ()
    """Kind, category, whether hard; none: it is ignored."""


def fact(kind: str, category: str = "", *, hard: bool = False) -> tuple[tuple[str, str, bool], ...]:
    return ((kind, category, hard),)


HARD = fact("bounced", "invalid_address", hard=True)
MAILBOX_FULL = fact("bounced", "mailbox_full")
CONTENT = fact("bounced", "policy_content")
DELAYED = fact("delayed", "mailbox_full")
DELIVERED = fact("delivered")
COMPLAINED = fact("complained")
UNSUBSCRIBED = fact("unsubscribed")


def amazon_ses(message: Message) -> list[Sample]:
    mail = {
        "timestamp": f"{ISO}.000Z",
        "source": "news@example.com",
        "messageId": "0107018f-6a2b-4c3d-8e4f-5a6b7c8d9e0f-000000",
        "destination": [message.address],
        "headers": [
            {"name": "Subject", "value": "News"},
            {"name": "X-Metadata", "value": message.metadata},
        ],
    }

    def bounce(kind: str, sub: str, answer: str, status: str) -> Raw:
        recipient = {
            "emailAddress": message.address,
            "action": "failed",
            "status": status,
            "diagnosticCode": f"smtp; {answer}",
        }
        return {
            "eventType": "Bounce",
            "bounce": {"bounceType": kind, "bounceSubType": sub, "bouncedRecipients": [recipient]},
            "mail": mail,
        }

    def complaint(feedback: str) -> Raw:
        told = {
            "complainedRecipients": [{"emailAddress": message.address}],
            "complaintFeedbackType": feedback,
        }
        return {"eventType": "Complaint", "complaint": told, "mail": mail}

    delivery = {"recipients": [message.address], "smtpResponse": "250 2.6.0 Message received"}
    return [
        Sample("hard", bounce("Permanent", "General", UNKNOWN_USER, "5.1.1"), HARD),
        Sample("listed", bounce("Permanent", "OnAccountSuppressionList", "", ""), HARD),
        Sample("spam called permanent", bounce("Permanent", "General", SPAM, "5.7.1"), CONTENT),
        Sample("soft", bounce("Transient", "MailboxFull", FULL, "4.2.2"), MAILBOX_FULL),
        Sample(
            "undetermined",
            bounce("Undetermined", "Undetermined", "", ""),
            fact("bounced", "unknown"),
        ),
        Sample("complaint", complaint("abuse"), COMPLAINED),
        Sample("no complaint", complaint("not-spam")),
        Sample(
            "delivered", {"eventType": "Delivery", "delivery": delivery, "mail": mail}, DELIVERED
        ),
        Sample("open", {"eventType": "Open", "open": {"ipAddress": "192.0.2.7"}, "mail": mail}),
        Sample("sent", {"eventType": "Send", "send": {}, "mail": mail}),
    ]


def brevo(message: Message) -> list[Sample]:
    def event(kind: str, **more: Any) -> Raw:
        return {
            "event": kind,
            "email": message.address,
            "id": 26224,
            "date": "2026-03-01 10:00:00",
            "ts_epoch": AT * 1000,
            "message-id": "<202603010900.12345678901@smtp-relay.example>",
            "X-Mailin-custom": message.metadata,
            **more,
        }

    return [
        Sample("hard", event("hard_bounce", reason=UNKNOWN_USER), HARD),
        Sample("invalid", event("invalid_email"), HARD),
        Sample("soft", event("soft_bounce", reason=FULL), MAILBOX_FULL),
        Sample("spam called hard", event("hard_bounce", reason=SPAM), CONTENT),
        Sample("blocked", event("blocked"), fact("bounced", "unknown")),
        Sample("deferred", event("deferred", reason=FULL), DELAYED),
        Sample("complaint", event("spam"), COMPLAINED),
        Sample("unsubscribed", event("unsubscribe"), UNSUBSCRIBED),
        Sample("unsubscribed, of a single message", event("unsubscribed"), UNSUBSCRIBED),
        Sample("delivered", event("delivered"), DELIVERED),
        Sample("opened", event("unique_opened")),
    ]


def mailersend(message: Message) -> list[Sample]:
    def event(number: int, kind: str, **morph: Any) -> Raw:
        email = {
            "object": "email",
            "status": "rejected",
            "message": {"object": "message", "id": "64c0ffee64c0ffee64c0ffee"},
            "recipient": {"object": "recipient", "email": message.address},
        }
        data = {
            "object": "activity",
            "id": f"62f114f8165fe0d8db0288e{number}",
            "type": kind,
            "created_at": f"{ISO}.000000Z",
            "email": email,
            "morph": morph or None,
        }
        return {"type": f"activity.{kind}", "created_at": f"{ISO}.000000Z", "data": data}

    return [
        Sample(
            "hard", event(1, "hard_bounced", object="recipient_bounce", reason=UNKNOWN_USER), HARD
        ),
        Sample(
            "soft", event(2, "soft_bounced", object="recipient_bounce", reason=FULL), MAILBOX_FULL
        ),
        Sample("complaint", event(3, "spam_complaint", object="spam_complaint"), COMPLAINED),
        Sample(
            "unsubscribed", event(4, "unsubscribed", object="recipient_unsubscribe"), UNSUBSCRIBED
        ),
        Sample("delivered", event(5, "delivered"), DELIVERED),
        Sample("clicked", event(6, "clicked", object="click", url="https://example.com/")),
    ]


def mailgun(message: Message) -> list[Sample]:
    def event(kind: str, **more: Any) -> Raw:
        data = {
            "event": kind,
            "id": "G9Bn5sl1TC6nu79C8C0bwg",
            "timestamp": AT + 0.529,
            "recipient": message.address,
            "message": {"headers": {"message-id": "20260301.1.ABC@mg.example.com"}},
            "user-variables": {"delivery": message.token},
            "tags": [],
            **more,
        }
        return {"event-data": data}

    def failed(severity: str, answer: str, **more: Any) -> Raw:
        status = {"message": answer, "code": int(answer[:3]), "description": ""}
        return event("failed", severity=severity, **{"delivery-status": status, **more})

    listed = failed(
        "permanent", "605 Not delivering to previously bounced address", reason="suppress-bounce"
    )
    return [
        Sample("hard", failed("permanent", UNKNOWN_USER, reason="bounce"), HARD),
        Sample("listed", listed, HARD),
        Sample("spam called permanent", failed("permanent", SPAM, reason="bounce"), CONTENT),
        Sample("soft", failed("temporary", FULL, reason="generic"), DELAYED),
        Sample("given up", failed("permanent", FULL, reason="old"), fact("bounced", "expired")),
        Sample("complaint", event("complained"), COMPLAINED),
        Sample("unsubscribed", event("unsubscribed"), UNSUBSCRIBED),
        Sample("delivered", event("delivered"), DELIVERED),
        Sample("opened", event("opened", ip="192.0.2.7")),
    ]


def mailjet(message: Message) -> list[Sample]:
    def event(kind: str, **more: Any) -> Raw:
        return {
            "event": kind,
            "time": AT,
            "MessageID": 19421777835146490,
            "Message_GUID": "1ab23cd4-e567-8901-2345-6789f0gh1i2j",
            "email": message.address,
            "Payload": message.metadata,
            **more,
        }

    def bounce(error: str, *, hard: bool, comment: str = "") -> Raw:
        return event(
            "bounce", blocked=False, hard_bounce=hard, error_related_to="recipient", error=error,
            comment=comment,
        )  # fmt: skip

    return [
        Sample("hard", bounce("user unknown", hard=True, comment=UNKNOWN_USER), HARD),
        Sample("soft", bounce("quota exceeded", hard=False, comment=FULL), MAILBOX_FULL),
        Sample("full called hard", bounce("quota exceeded", hard=True), MAILBOX_FULL),
        Sample(
            "unknown called soft",
            bounce("user unknown", hard=False),
            fact("bounced", "invalid_address"),
        ),
        Sample("blocked", event("blocked", error="content blocked"), CONTENT),
        Sample("greylisted", bounce("greylisted", hard=False), fact("delayed", "transient")),
        Sample("complaint", event("spam", source="JMRPP"), COMPLAINED),
        Sample("unsubscribed", event("unsub"), UNSUBSCRIBED),
        Sample("delivered", event("sent", smtp_reply="sent (250 2.0.0 OK)"), DELIVERED),
        Sample("opened", event("open", ip="192.0.2.7")),
    ]


def mailtrap(message: Message) -> list[Sample]:
    def event(number: int, kind: str, **more: Any) -> Raw:
        return {
            "event": kind,
            "event_id": f"bede7236-2284-43d6-a953-1fdcafd0fdb{number}",
            "message_id": "1df37d17-0286-4d8b-8edf-bc4ec5be86e6",
            "sending_stream": "bulk",
            "email": message.address,
            "timestamp": AT,
            "custom_variables": {"delivery": message.token},
            **more,
        }

    return [
        Sample("hard", event(1, "bounce", response=UNKNOWN_USER, response_code=550), HARD),
        Sample("spam", event(2, "bounce", response=SPAM, response_code=550), CONTENT),
        Sample("soft", event(3, "soft bounce", response=FULL, response_code=452), DELAYED),
        Sample("refused", event(4, "reject", reason="Unsubscribed"), fact("bounced", "unknown")),
        Sample("complaint", event(5, "spam"), COMPLAINED),
        Sample("unsubscribed", event(6, "unsubscribe"), UNSUBSCRIBED),
        Sample("delivered", event(7, "delivery"), DELIVERED),
        Sample("opened", event(8, "open", ip="192.0.2.7")),
    ]


def mandrill(message: Message) -> list[Sample]:
    def event(kind: str, **more: Any) -> Raw:
        told = {
            "ts": AT,
            "email": message.address,
            "metadata": {"delivery": message.token},
            "tags": [],
            "_id": "abc123abc123abc123abc123abc123ab",
            **more,
        }
        return {"event": kind, "ts": AT, "_id": "abc123abc123abc123abc123abc123ab", "msg": told}

    return [
        Sample(
            "hard", event("hard_bounce", bounce_description="bad_mailbox", diag=UNKNOWN_USER), HARD
        ),
        Sample("spam", event("hard_bounce", bounce_description="general", diag=SPAM), CONTENT),
        Sample(
            "soft",
            event("soft_bounce", bounce_description="mailbox_full", diag=FULL),
            MAILBOX_FULL,
        ),
        Sample("deferred", event("deferral", diag=FULL), DELAYED),
        Sample("refused", event("reject"), fact("bounced", "unknown")),
        Sample("complaint", event("spam"), COMPLAINED),
        Sample("unsubscribed", event("unsub"), UNSUBSCRIBED),
        Sample("clicked", event("click")),
    ]


def postal(message: Message) -> list[Sample]:
    told = {
        "id": 12345,
        "token": "abcdef123",
        "direction": "outgoing",
        "message_id": f"{message.token}@example.com",
        "to": message.address,
        "from": "news@example.com",
        "subject": "News",
        "timestamp": AT,
        "tag": None,
    }

    def event(number: int, kind: str, **payload: Any) -> Raw:
        uuid = f"0fc5ae2f-a3ec-4bd5-9f1b-6a6d1a8a4a5{number}"
        return {"event": kind, "timestamp": AT, "payload": payload, "uuid": uuid}

    def status(number: int, kind: str, status: str, output: str) -> Raw:
        return event(number, kind, status=status, details="Answer", output=output, message=told)

    return [
        Sample("hard", status(1, "MessageDeliveryFailed", "HardFail", UNKNOWN_USER), HARD),
        Sample("spam", status(2, "MessageDeliveryFailed", "HardFail", SPAM), CONTENT),
        Sample("soft", status(3, "MessageDelayed", "SoftFail", FULL), DELAYED),
        Sample("held", status(4, "MessageHeld", "Held", "")),
        Sample(
            "bounce",
            event(5, "MessageBounced", original_message=told, bounce={"id": 2, "subject": "?"}),
            fact("bounced", "unknown"),
        ),
        Sample("delivered", status(6, "MessageSent", "Sent", "250 2.0.0 OK"), DELIVERED),
        Sample("clicked", event(7, "MessageLinkClicked", url="https://example.com", message=told)),
    ]


def postmark(message: Message) -> list[Sample]:
    def event(record: str, address: str = "Email", **more: Any) -> Raw:
        return {
            "RecordType": record,
            "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
            "Metadata": {"delivery": message.token},
            "MessageStream": "broadcast",
            address: message.address,
            **more,
        }

    def bounce(number: int, kind: str, details: str) -> Raw:
        return event(
            "Bounce", ID=number, Type=kind, Details=details, BouncedAt=f"{ISO}.1234567Z",
            Description="The server was unable to deliver your message.", Inactive=False,
        )  # fmt: skip

    changed = {"ChangedAt": f"{ISO}Z", "SuppressSending": True}
    return [
        Sample("hard", bounce(1, "HardBounce", f"smtp;{UNKNOWN_USER}"), HARD),
        Sample("soft", bounce(2, "SoftBounce", f"smtp;{FULL}"), MAILBOX_FULL),
        Sample("transient", bounce(3, "Transient", f"smtp;{FULL}"), DELAYED),
        Sample("policy of the domain", bounce(4, "DMARCPolicy", ""), fact("bounced", "auth")),
        Sample("a filter, no complaint", bounce(5, "SpamNotification", SPAM), CONTENT),
        Sample("away", bounce(6, "AutoResponder", "")),
        Sample(
            "complaint",
            event("SpamComplaint", ID=7, Type="SpamComplaint", BouncedAt=f"{ISO}Z"),
            COMPLAINED,
        ),
        Sample(
            "unsubscribed",
            event(
                "SubscriptionChange", "Recipient", SuppressionReason="ManualSuppression", **changed
            ),
            UNSUBSCRIBED,
        ),
        Sample(
            "delivered",
            event("Delivery", "Recipient", DeliveredAt=f"{ISO}Z", Details="smtp;250 2.0.0 OK"),
            DELIVERED,
        ),
        Sample("opened", event("Open", "Recipient", ReceivedAt=f"{ISO}Z")),
    ]


def resend(message: Message) -> list[Sample]:
    def event(kind: str, **more: Any) -> Raw:
        data = {
            "created_at": "2026-03-01 08:59:00.000000+00",
            "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
            "from": "News <news@example.com>",
            "to": [message.address],
            "subject": "News",
            "headers": [{"name": "X-Metadata", "value": message.metadata}],
            **more,
        }
        return {"type": f"email.{kind}", "created_at": f"{ISO}.000Z", "data": data}

    def bounced(kind: str, sub: str, text: str) -> Raw:
        return event("bounced", bounce={"type": kind, "subType": sub, "message": text})

    hard = "The recipient's email provider sent a hard bounce message, but didn't say why."
    full = "The recipient's email provider sent a bounce message because their inbox was full."
    return [
        Sample("hard", bounced("Permanent", "General", hard), HARD),
        Sample("soft", bounced("Transient", "MailboxFull", full), MAILBOX_FULL),
        Sample("content", bounced("Transient", "ContentRejected", "Its content."), CONTENT),
        Sample("delayed", event("delivery_delayed"), fact("delayed", "unknown")),
        Sample("complaint", event("complained"), COMPLAINED),
        Sample("delivered", event("delivered"), DELIVERED),
        Sample("clicked", event("clicked", click={"ipAddress": "192.0.2.7"})),
    ]


def sendgrid(message: Message) -> list[Sample]:
    def event(number: int, kind: str, **more: Any) -> Raw:
        return {
            "event": kind,
            "email": message.address,
            "timestamp": AT,
            "smtp-id": "<YrP4J7ZKQKG8pP0Jf9aJpg@ismtpd0001.example>",
            "anymail_id": "3c2f4df8-c6dd-4cd2-9b91-6582b81a0349",
            "sg_event_id": f"ZyjAM5rnQmuI1KFInHQ3N{number}",
            "sg_message_id": "YrP4J7ZKQKG8pP0Jf9aJpg.filter0425p1mdw1.13037.57561B34D.0",
            "delivery": message.token,
            **more,
        }

    return [
        Sample(
            "hard", event(1, "bounce", type="bounce", status="5.1.1", reason=UNKNOWN_USER), HARD
        ),
        Sample("blocked", event(2, "bounce", type="blocked", status="5.7.1", reason=SPAM), CONTENT),
        Sample(
            "soft", event(3, "bounce", type="blocked", status="4.2.2", reason=FULL), MAILBOX_FULL
        ),
        Sample("deferred", event(4, "deferred", response=FULL, attempt="5"), DELAYED),
        Sample("listed", event(5, "dropped", reason="Bounced Address", status="5.0.0"), HARD),
        Sample(
            "unsubscribed before",
            event(6, "dropped", reason="Unsubscribed Address"),
            fact("bounced", "unknown"),
        ),
        Sample("complaint", event(7, "spamreport"), COMPLAINED),
        Sample("unsubscribed", event(8, "unsubscribe"), UNSUBSCRIBED),
        Sample("delivered", event(9, "delivered", response="250 OK"), DELIVERED),
        Sample("opened", event(0, "open", ip="192.0.2.7")),
    ]


def sparkpost(message: Message) -> list[Sample]:
    def event(number: int, kind: str, group: str = "message_event", **more: Any) -> Raw:
        told = {
            "type": kind,
            "timestamp": str(AT),
            "event_id": f"9255010063390410{number}",
            "transmission_id": "102394959595959595",
            "rcpt_to": message.address,
            "raw_rcpt_to": message.address,
            "rcpt_meta": {"delivery": message.token},
            **more,
        }
        return {"msys": {group: told}}

    def bounce(number: int, bounce_class: str, answer: str) -> Raw:
        return event(number, "bounce", bounce_class=bounce_class, raw_reason=answer)

    return [
        Sample("hard", bounce(1, "10", UNKNOWN_USER), HARD),
        Sample("out of band", event(2, "out_of_band", bounce_class="30", raw_reason=""), HARD),
        Sample("soft", bounce(3, "22", FULL), MAILBOX_FULL),
        Sample("blocked", bounce(4, "52", SPAM), CONTENT),
        Sample("away", bounce(5, "60", "Out of office")),
        Sample("deferred", event(6, "delay", raw_reason=FULL, bounce_class="22"), DELAYED),
        Sample("complaint", event(7, "spam_complaint", fbtype="abuse"), COMPLAINED),
        Sample("unsubscribed", event(8, "list_unsubscribe", "unsubscribe_event"), UNSUBSCRIBED),
        Sample("delivered", event(9, "delivery"), DELIVERED),
        Sample("opened", event(0, "open", "track_event", ip_address="192.0.2.7")),
    ]


def unisender_go(message: Message) -> list[Sample]:
    def event(status: str, told: str = "", answer: str = "") -> Raw:
        return {
            "job_id": "1ZymBc-00041N-9X",
            "metadata": {"delivery": message.token, "anymail_id": "1b0a7b6b-1f6a-4b68"},
            "email": message.address,
            "status": status,
            "event_time": "2026-03-01 09:00:00",
            "delivery_info": {"delivery_status": told, "destination_response": answer},
        }

    return [
        Sample("hard", event("hard_bounced", "err_user_unknown", UNKNOWN_USER), HARD),
        Sample("full", event("hard_bounced", "err_mailbox_full", FULL), MAILBOX_FULL),
        Sample("spam", event("hard_bounced", "err_spam_rejected", SPAM), CONTENT),
        Sample("soft", event("soft_bounced", "err_will_retry", FULL), DELAYED),
        Sample("complaint", event("spam"), COMPLAINED),
        Sample("unsubscribed", event("unsubscribed"), UNSUBSCRIBED),
        Sample("delivered", event("delivered", "ok_delivered"), DELIVERED),
        Sample("opened", event("opened")),
    ]


SAMPLES: dict[str, Callable[[Message], list[Sample]]] = {
    each.__name__: each
    for each in (
        amazon_ses, brevo, mailersend, mailgun, mailjet, mailtrap, mandrill, postal, postmark,
        resend, sendgrid, sparkpost, unisender_go,
    )
}  # fmt: skip
