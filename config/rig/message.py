"""The message that is sent: 6 KB of HTML and its text, personal, five links, an image."""

from pathlib import Path

from campaigns import dkim_keys
from campaigns.sending.dkim import Algorithm
from campaigns.services import get_sender
from config.rig.audience import FIELDS
from templates_app.models import EmailTemplate
from templates_app.services import create_template

DOMAIN = "shore.example"
SENDER = f"The Shore <news@{DOMAIN}>"
SUBJECT = "{{ first_name }}, what the tide left behind"

# A link that is the recipient's own, as links that are counted are: with a signed token.
_TOKEN = "{{ unsubscribe_url[-40:] }}"  # noqa: S105  (no password)


def source() -> str:
    """Return the HTML, with `{{ token }}` where a link or the image names its recipient.

    Names alone, no filter: Django's own templates read it, too.
    """
    return Path(__file__).with_name("newsletter.html").read_text(encoding="utf-8")


def personal_source() -> str:
    """Return the HTML as it is sent, its links with a token of the recipient."""
    return source().replace("{{ token }}", _TOKEN)


def describe() -> str:
    html = source()
    links = html.count("/c/")
    return f"{len(html.encode()):,} bytes of HTML and its text, {links} links, an image"


def make_template() -> EmailTemplate:
    return create_template("Newsletter", subject=SUBJECT, source=personal_source(), known=FIELDS)


def sign() -> None:
    """Have the sender's messages signed with an RSA key of 2,048 bits (DKIM, RFC 6376)."""
    dkim_keys.create(DOMAIN, selector="benchmark", algorithm=Algorithm.RSA)
    dkim_keys.activate(DOMAIN, selector="benchmark")
    sender = get_sender(SENDER)
    sender.dkim_domain = DOMAIN
    sender.save(update_fields=["dkim_domain"])
