"""The ground every role stands on: configuration, Celery apps, dispatch, reply inbox and the shared contracts."""
