"""Where providers tell what became of messages."""

import logging

from anymail.exceptions import AnymailConfigurationError, AnymailWebhookValidationFailure
from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from tracking.webhooks.providers import PROVIDERS, Provider
from tracking.webhooks.sns import Unreachable
from tracking.webhooks.storing import stored_at_once

logger = logging.getLogger(__name__)

# Bytes. Some providers put a thousand events into one request.
LARGEST = 10_000_000


@login_not_required
@csrf_exempt
def webhook(request: HttpRequest, provider: str) -> HttpResponseBase:
    """Store what a provider tells: all of a request, or nothing of it."""
    found = PROVIDERS.get(provider)
    if found is None:
        raise Http404
    if not found.is_set_up:
        logger.warning("a webhook of %s is refused: no secret or key for it is set", provider)
        return _refuse(403, "This webhook is not set up.")
    try:
        return _take(request, found)
    except (OperationalError, InterfaceError):
        raise  # a fault of ours, and not of what was told: the provider tries again
    except AnymailWebhookValidationFailure as error:
        logger.warning("a webhook of %s is refused: %r", provider, str(error))
        return _refuse(403, "Nothing proves who says this.")
    except Unreachable as error:  # Amazon repeats what it is answered with 5xx, and nothing else
        logger.warning("a webhook of %s cannot be verified now: %s", provider, error)
        return _refuse(503, "This cannot be verified now.")
    except AnymailConfigurationError as error:
        logger.warning("a webhook of %s is not set up right: %r", provider, str(error))
        return _refuse(400, "This is not what this address is for.")
    except Exception as error:  # noqa: BLE001 - whatever Anymail makes of what it does not expect
        # Without its text, which may repeat what was told, and so name people.
        logger.warning("a webhook of %s cannot be read: %s", provider, type(error).__name__)
        return _refuse(400, "This cannot be read.")


def _take(request: HttpRequest, provider: Provider) -> HttpResponseBase:
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST:
        return _refuse(413, f"This is more than {LARGEST} bytes.")
    # Django would take a quarter of it: a limit that is the same for all pages.
    request._body = request.read()  # noqa: SLF001
    with stored_at_once():
        return provider.view(request)


def _refuse(status: int, why: str) -> HttpResponse:
    return HttpResponse(f"{why}\n", status=status, content_type="text/plain")
