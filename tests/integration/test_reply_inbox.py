"""The reply inbox, over a real Redis."""

import queue

import numpy as np

from embedding_project.broker.inbox import ReplyInbox
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.messages import SearchReply

HITS = ShardHits(np.ones(1, np.float32), np.ones(1, np.int64), np.ones(1, np.int32))


def test_a_reply_whose_receiver_fails_costs_no_other_reply() -> None:
    redis = broker_client(load_config().redis_url, timeout_seconds=5)
    inbox = ReplyInbox(redis)
    heard: queue.SimpleQueue[int] = queue.SimpleQueue()

    def receive(reply: SearchReply) -> None:
        if reply.shard == 1:
            raise RuntimeError("a fault nobody foresaw")
        heard.put(reply.shard)

    inbox.expect_search("fanout", receive)
    pipeline = redis.pipeline()
    for shard in range(4):
        # In one command, so that the inbox pops them together.
        pipeline.rpush(
            inbox.name, SearchReply(fanout_id="fanout", shard=shard, outcomes=(HITS,), search_ms=1.0).to_wire()
        )
    pipeline.execute()
    assert [heard.get(timeout=5) for _ in range(3)] == [0, 2, 3]
