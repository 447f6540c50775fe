"""Send a test of a template, before there is a campaign."""

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from campaigns import trial
from campaigns.admin.templates.preview import Preview, contents_of
from campaigns.models import Sender
from campaigns.sending.outcomes import Accepted
from campaigns.services import Refused
from recipients.addresses import BadAddress, parse_address
from recipients.models import Recipient
from recipients.sentences import sentence
from templates_app.compiling import CompiledContent, compile_draft
from templates_app.drafts import draft_of
from templates_app.forms import known_fields
from templates_app.models import EmailTemplate
from templates_app.rendering import RenderError
from templates_app.services import Refused as ContentRefused
from templates_app.services import library, sound

_NEWEST = 20  # versions to choose from
_BETWEEN = re.compile(r"[,;\s]+")


class SampleForm(forms.Form):
    """To whom, from whom, and which content in whose name."""

    addresses = forms.CharField(
        label="Send the test to",
        max_length=3_000,
        widget=UnfoldAdminTextareaWidget({"rows": 3, "spellcheck": "false"}),
        help_text=f"Up to {trial.MOST_AT_ONCE} addresses, one on each line. They need not be "
        "recipients'.",
    )
    sender = forms.ModelChoiceField(
        Sender.objects.order_by("address"), label="From", widget=UnfoldAdminSelectWidget
    )
    content = forms.ChoiceField(label="Content", widget=UnfoldAdminSelectWidget)
    reader = forms.CharField(
        label="In the name of",
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        help_text="The address of a recipient, whose fields the message shows. Left empty, the "
        "values are invented.",
    )
    language = forms.ChoiceField(label="Language", required=False, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, template: EmailTemplate, may_see: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        numbers = template.versions.order_by("-number").values_list("number", flat=True)[:_NEWEST]
        self.fields["content"].choices = [  # type: ignore[attr-defined]
            ("", "As it is saved now"),
            *((str(number), f"Version {number}") for number in numbers),
        ]
        self.fields["content"].required = False
        languages = [template.language, *_other_languages(template)]
        self.fields["language"].choices = [  # type: ignore[attr-defined]
            ("", "The reader's"),
            *((language, language) for language in languages if language),
        ]
        if not may_see:
            del self.fields["reader"]

    def clean_addresses(self) -> list[str]:
        texts = [text for text in _BETWEEN.split(self.cleaned_data["addresses"]) if text]
        if len(texts) > trial.MOST_AT_ONCE:
            raise ValidationError(
                f"These are {len(texts)} addresses; {trial.MOST_AT_ONCE} at most. To mail people, "
                "make a campaign."
            )
        try:
            return list(dict.fromkeys(parse_address(text).addr_spec for text in texts))
        except BadAddress as error:
            raise ValidationError(f"This is not an address: {error}.") from None

    def clean_reader(self) -> Recipient | None:
        text = self.cleaned_data["reader"].strip()
        if not text:
            return None
        try:
            return Recipient.objects.get(key=parse_address(text).key)
        except BadAddress as error:
            raise ValidationError(f"This is not an address: {error}.") from None
        except Recipient.DoesNotExist:
            raise ValidationError("No recipient has this address.") from None


def may_test(request: HttpRequest) -> bool:
    """Whether this user may send tests: whoever may act on campaigns."""
    return request.user.has_perm("campaigns.change_campaign")


def send(model_admin: Any, request: HttpRequest, *, template_id: int) -> HttpResponse:
    """Show the page (GET), or send (POST); a refusal stands on the same page."""
    template = model_admin.template(request, template_id)
    if not may_test(request):
        raise PermissionDenied
    may_see = request.user.has_perm("recipients.view_recipient")
    data = request.POST if request.method == "POST" else None
    form = SampleForm(data, template=template, may_see=may_see)
    if form.is_valid():
        try:
            _send(model_admin, request, template, form.cleaned_data)
        except (Refused, ContentRefused, RenderError) as refusal:
            form.add_error(None, sentence(refusal))
        else:
            return HttpResponseRedirect(request.path)
    context = {
        **model_admin.page_context(request, template),
        "title": f"Send a test: {template}",
        "form": form,
        "most": trial.MOST_IN_AN_HOUR,
    }
    status = 422 if form.errors else 200
    return TemplateResponse(request, "campaigns/template_test.html", context, status=status)


def _send(
    model_admin: Any, request: HttpRequest, template: EmailTemplate, answers: dict[str, Any]
) -> None:
    preview = _preview(template, answers)
    if preview.rendered is None:
        raise Refused(preview.problem)
    now, addresses = timezone.now(), answers["addresses"]
    trial.claim_tests(template, addresses=addresses, by=request.user.pk or 0, now=now)
    outcomes = trial.send_sample(
        preview.content,
        sender=answers["sender"],
        context=preview.reader.context(),
        addresses=addresses,
        now=now,
    )
    for address, outcome in outcomes:
        level = messages.SUCCESS if isinstance(outcome, Accepted) else messages.ERROR
        model_admin.message_user(request, f"{address}: {trial.in_words(outcome)}", level)


def _preview(template: EmailTemplate, answers: dict[str, Any]) -> Preview:
    contents = _contents(template, answers["content"])
    languages = [content.language for content in contents]
    data = QueryDict(mutable=True)
    if language := answers["language"]:
        if language not in languages:
            raise Refused(f"version {answers['content']} has no text in {language}")
        data["language"] = str(languages.index(language))
    if recipient := answers.get("reader"):
        data["who"] = f"r-{recipient.pk}"
    return Preview(contents, data, may_see=True)


def _contents(template: EmailTemplate, number: str) -> list[CompiledContent]:
    if number:
        return contents_of(template.versions.get(number=number))
    draft = draft_of(template)
    return sound(compile_draft(draft, library=library(), known=known_fields() or None)).contents


def _other_languages(template: EmailTemplate) -> list[str]:
    return list(template.variants.order_by("language").values_list("language", flat=True))
