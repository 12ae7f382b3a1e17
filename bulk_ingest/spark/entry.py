"""`spark-submit --py-files bulk.zip bulk_ingest/spark/entry.py --job ID`: leads a job, with Spark as its engine.

`manage.py bulk_ingest run --engine spark` starts it too, as `python -m bulk_ingest.spark.entry`: then it makes the
session itself.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from functools import partial

import django
from pyspark.sql import SparkSession

from bulk_ingest.spark.session import SessionRefused, own_session, submitted_session
from embedding_project.config import ConfigError, inherited_environment, put_into_environment
from supervisor.errors import StartError

_SUBMITTED = "PYSPARK_GATEWAY_PORT"
"""spark-submit says there where its Java listens."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="entry.py", description="Lead a bulk job, with Spark as its engine.")
    parser.add_argument("--job", type=int, required=True)
    parser.add_argument("--master", default="local[2]", help="of the session, unless spark-submit made it")
    parser.add_argument("--loaders", type=int, default=8, help="tasks that use Postgres at a time")
    options = parser.parse_args(argv)
    if options.loaders < 1:
        parser.error("--loaders: 1 at least")
    put_into_environment(DJANGO_SETTINGS_MODULE="embedding_project.settings")
    try:
        django.setup()
        # It needs Django, which is set up only now.
        lead = importlib.import_module("bulk_ingest.spark.leading").lead
        return int(lead(options.job, partial(_session, options.master), options.loaders))
    except (ConfigError, StartError, SessionRefused) as error:
        print(f"bulk_ingest: {error}", file=sys.stderr)
        return 1


def _session(master: str) -> SparkSession:
    return submitted_session() if _SUBMITTED in inherited_environment() else own_session(master)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
