"""Where a sign-up form is, and the copy of it that goes into other people's pages."""

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from recipients import captcha
from recipients.forms.subscribe import HONEYPOT, SubscribeForm
from recipients.models import SignupForm


def embeddable(form: SignupForm) -> str:
    """Return the form as plain HTML for any page: it needs no script, no cookie, no style."""
    context = {
        "form": form,
        "typed": SubscribeForm(form),
        "url": url_of(form),
        "honeypot": HONEYPOT,
        "captcha": captcha.chosen(),
    }
    lines = render_to_string("recipients/_embed.html", context).splitlines()
    return "\n".join(line for line in lines if line.strip())


def url_of(form: SignupForm) -> str:
    """Return the address of a form's own page."""
    return settings.SITE_URL + reverse("recipients:subscribe", args=[form.slug])
