"""Messages about messages, as mail systems write them, with tokens of ours."""

from tracking.links import bounce_token, message_token

HARD = "550 5.1.1 <ada@example.org>: no such user here"


def verp(token: str) -> str:
    return f"b-{token}@news.example.org"


def returned(token: str) -> str:
    """The header of a message that comes back, with a token in its Message-ID."""
    return f"From: news@example.org\nTo: ada@example.org\nMessage-ID: <{token}@example.org>\n"


def dsn(
    *,
    to: str = "bounces@news.example.org",
    token: str = "",
    action: str = "failed",
    status: str = "5.1.1",
    said: str = HARD,
    recipient: str = "ada@example.org",
    notice: str = "The message could not be delivered.",
    date: str = "Mon, 01 Jun 2026 12:00:00 +0000",
) -> bytes:
    """A delivery status notification (RFC 3464)."""
    text = f"""From: MAILER-DAEMON@mx.example.org
To: {to}
Date: {date}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"

--=_b
Content-Type: text/plain; charset=utf-8

{notice}

--=_b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said}

--=_b
Content-Type: text/rfc822-headers

{returned(token or "nothing")}
--=_b--
"""
    return text.replace("\n", "\r\n").encode()


def arf(*, token: str, feedback_type: str = "abuse") -> bytes:
    """A report of abuse (RFC 5965) from which the address was redacted."""
    text = f"""From: <feedback@isp.example>
To: <fbl@example.org>
Subject: FW: News
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="=_f"

--=_f
Content-Type: text/plain

This is an email abuse report.

--=_f
Content-Type: message/feedback-report

Feedback-Type: {feedback_type}
User-Agent: SomeGenerator/1.0
Version: 1

--=_f
Content-Type: message/rfc822

{returned(token)}
Hello
--=_f--
"""
    return text.replace("\n", "\r\n").encode()


def auto_reply(*, to: str) -> bytes:
    text = f"""From: Ada <ada@example.org>
To: {to}
Subject: Out of office
Auto-Submitted: auto-replied

I am away until Monday.
"""
    return text.replace("\n", "\r\n").encode()


def bounced(delivery_id: int) -> bytes:
    return dsn(to=verp(bounce_token(delivery_id)))


def complained(delivery_id: int) -> bytes:
    return arf(token=message_token(delivery_id))
