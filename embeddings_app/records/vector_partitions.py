"""The partitions of the vectors, one for each model version."""

from embeddings_app.records.sql import execute


def vector_partition(version_key: int) -> str:
    """Name of the partition that holds the vectors of one version."""
    return f"embedding_vector_v{version_key:d}"


def create_vector_partition(version_key: int) -> None:
    """The partition that holds the vectors of one version; dropping it is how a version is retired."""
    execute(
        f"CREATE TABLE IF NOT EXISTS {vector_partition(version_key)} "
        f"PARTITION OF embedding_vector FOR VALUES IN ({version_key:d})"
    )
