"""Send a test of a template, before there is a campaign."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from campaigns import trial
from campaigns.forms.templates import SampleForm
from campaigns.sending.outcomes import Accepted
from campaigns.services import Refused
from campaigns.views.templates.frame import found, page, readers_of
from campaigns.views.templates.preview import Preview, contents_of
from recipients.models.people import RecipientQuerySet
from recipients.sentences import sentence
from templates_app.compiling import CompiledContent, compile_draft
from templates_app.drafts import draft_of
from templates_app.forms import known_fields
from templates_app.models import EmailTemplate
from templates_app.rendering import RenderError
from templates_app.services import Refused as ContentRefused
from templates_app.services import library, sound


@require_http_methods(["GET", "HEAD", "POST"])
def template_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page (GET), or send (POST); a refusal stands on the same page."""
    template = found(pk)
    readers = readers_of(request)
    data = request.POST if request.method == "POST" else None
    initial = {"addresses": getattr(request.user, "email", "")}
    form = SampleForm(data, template=template, readers=readers, initial=initial)
    if form.is_valid():
        try:
            _send(request, template, form.cleaned_data)
        except (Refused, ContentRefused, RenderError) as refusal:
            form.add_error(None, sentence(refusal))
        else:
            return redirect(request.path)
    status = 422 if form.errors else 200
    return page(
        request,
        "test",
        template,
        here="test",
        status=status,
        form=form,
        most=trial.MOST_IN_AN_HOUR,
    )


def _send(request: HttpRequest, template: EmailTemplate, answers: dict[str, Any]) -> None:
    preview = _preview(template, answers, readers_of(request))
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
        messages.add_message(request, level, f"{address}: {trial.in_words(outcome)}")


def _preview(
    template: EmailTemplate, answers: dict[str, Any], readers: RecipientQuerySet | None
) -> Preview:
    contents = _contents(template, answers["content"])
    languages = [content.language for content in contents]
    data = QueryDict(mutable=True)
    if language := answers["language"]:
        if language not in languages:
            raise Refused(
                _("version %(answers)s has no text in %(language)s")
                % {"answers": answers["content"], "language": language}
            )
        data["language"] = str(languages.index(language))
    if recipient := answers.get("reader"):
        data["who"] = f"r-{recipient.pk}"
    return Preview(contents, data, readers=readers)


def _contents(template: EmailTemplate, number: str) -> list[CompiledContent]:
    if number:
        return contents_of(template.versions.get(number=number))
    draft = draft_of(template)
    return sound(compile_draft(draft, library=library(), known=known_fields() or None)).contents
