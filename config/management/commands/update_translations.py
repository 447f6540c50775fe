"""Bring the catalogues of translations up to date with code and templates."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.web import messages


class Command(BaseCommand):
    help = (
        "Add new messages to config/locale/*/LC_MESSAGES/django.po, drop those that are gone, and "
        "compile them. What is translated there is kept."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for language, _ in settings.LANGUAGES:
            if language == settings.LANGUAGE_CODE.split("-")[0]:
                continue
            catalogue = messages.update(language)
            left = messages.not_translated(catalogue)
            self.stdout.write(f"{language}: {len(catalogue)} messages, {len(left)} not translated")
