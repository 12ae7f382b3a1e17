"""The Django project of docs/how-to/use-from-django.md, whose folder is in PYTHONPATH."""

import os

import django

os.chdir(os.environ["PROJECT"])
django.setup()
