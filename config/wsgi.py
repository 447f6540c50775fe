import os

from django.core.wsgi import get_wsgi_application

from config.env import refuse_problems

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
refuse_problems()

application = get_wsgi_application()
