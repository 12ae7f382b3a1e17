"""`python -m bulk_ingest`, as `manage.py bulk_ingest` runs it: with the settings of Django in the environment."""

import importlib
import sys

import django

if __name__ == "__main__":
    # The processes of the pool import this module too, under another name, and set Django up for themselves.
    django.setup()
    sys.exit(importlib.import_module("bulk_ingest.cli").main(sys.argv[1:]))
