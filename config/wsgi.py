import os

from django.core.wsgi import get_wsgi_application

from config.env import refuse_problems
from config.metrics import shared

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
refuse_problems()
shared.install()

_django = get_wsgi_application()

from tracking.hits.endpoint import in_front_of  # noqa: E402  (after the setup: it has models)

application = in_front_of(_django)
