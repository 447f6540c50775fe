"""Amazon SES, which tells by SNS: Anymail reads what it says, and we see that Amazon says it."""

# anymail has no type hints:
# mypy: allow-subclassing-any
from collections.abc import Mapping
from typing import Any

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView
from django.conf import settings
from django.http import HttpRequest

from tracking.webhooks.sns import Untrusted, Verifier

verifier = Verifier()


class View(AmazonSESTrackingWebhookView):
    """The view of Anymail, with the signature verified."""

    warn_if_no_basic_auth = False

    def run_validators(self, request: HttpRequest) -> None:
        """Verify the secret, if there is one, and then the signature, which may have to be fetched.

        :raises AnymailWebhookValidationFailure:
        """
        super().run_validators(request)
        try:
            topics = settings.ANYMAIL["AMAZON_SES_TOPICS"]
            verifier.verify(self._parse_sns_message(request), topics=topics)
        except Untrusted as error:
            raise AnymailWebhookValidationFailure(str(error)) from error

    def auto_confirm_sns_subscription(self, sns_message: Mapping[str, Any]) -> None:
        """Confirm by the address in the message: that needs no credentials of Amazon's.

        :raises AnymailWebhookValidationFailure:
        """
        try:
            verifier.confirm(sns_message)
        except Untrusted as error:
            raise AnymailWebhookValidationFailure(str(error)) from error
