"""The pages by which people subscribe; they need no token, no cookie and no script."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from recipients import captcha, signup
from recipients.consent import Origin
from recipients.forms.subscribe import ADDRESS, HONEYPOT, SubscribeForm
from recipients.models import SignupForm
from recipients.origin import origin_of

AN_HOUR = "3600"  # seconds


# Other sites post to it without a cookie of ours, and it uses none: whoever makes a browser post
# here could as well post by themselves.
@login_not_required
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def subscribe(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a form (GET), or have the person asked to confirm (POST).

    What is answered depends on what was typed, never on what is known of the address.
    """
    form = SignupForm.objects.filter(slug=slug, is_open=True).first()
    if form is None:
        return render(request, "recipients/subscribe_closed.html", status=404)
    if request.method != "POST":
        return _page(request, SubscribeForm(form))
    now, origin = timezone.now(), origin_of(request)
    if signup.is_network_full(origin, now=now):
        answer = render(request, "recipients/subscribe_later.html", {"form": form}, status=429)
        answer["Retry-After"] = AN_HOUR
        return answer
    if request.POST.get(HONEYPOT):
        return _done(request, form)  # a program filled in what no person sees
    return _subscribe(request, SubscribeForm(form, request.POST), origin)


def _subscribe(request: HttpRequest, typed: SubscribeForm, origin: Origin) -> HttpResponse:
    challenge = captcha.chosen()
    if challenge and not challenge.passes(request):
        typed.add_error(None, "Please answer the question that tells people from programs.")
    if not typed.is_valid():
        return _page(request, typed, status=422)
    asked = signup.Asked(
        address=typed.cleaned_data[ADDRESS],
        wording=typed.keep_wording(),
        answers=typed.answers(),
        origin=origin,
    )
    signup.ask(typed.signup_form, asked, now=timezone.now())
    return _done(request, typed.signup_form)


def _page(request: HttpRequest, typed: SubscribeForm, *, status: int = 200) -> HttpResponse:
    context = {
        "form": typed.signup_form,
        "typed": typed,
        "honeypot": HONEYPOT,
        "captcha": captcha.chosen(),
    }
    return render(request, "recipients/subscribe.html", context, status=status)


def _done(request: HttpRequest, form: SignupForm) -> HttpResponse:
    return render(request, "recipients/subscribe_done.html", {"form": form})
