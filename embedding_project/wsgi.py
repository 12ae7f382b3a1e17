"""WSGI entry point of the api role."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "embedding_project.settings")
application = get_wsgi_application()
