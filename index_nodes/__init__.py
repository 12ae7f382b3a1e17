"""Search side: one process per shard replica, a follower of the change log that holds rebuildable indexes."""
