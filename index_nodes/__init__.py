"""Search side: one process per shard replica. It follows the change log and holds indexes that can be rebuilt."""
