"""One session for all tests of the suite, on the Java that a machine without one gets."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bulk_ingest.spark.session import own_session
from supervisor.java import choose_java, spark_folders


@pytest.fixture(scope="session")
def event_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Spark writes everything that its pages would show."""
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="session")
def session(event_log: Path) -> Iterator[SparkSession]:
    log = {"enabled": "true", "dir": event_log.as_uri(), "compress": "false", "rolling.enabled": "false"}
    settings = {f"spark.eventLog.{name}": value for name, value in log.items()}
    started = own_session("local[2]", settings, choose_java({"PATH": ""}, spark_folders()))
    yield started
    started.stop()
