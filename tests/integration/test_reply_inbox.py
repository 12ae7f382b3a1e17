"""The reply inbox, over a real Redis."""

import queue

from embedding_project.broker.inbox import ReplyInbox
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.messages import EmbedReply, SearchReply


def test_a_reply_whose_receiver_fails_costs_no_other_reply() -> None:
    redis = broker_client(load_config().redis_url, timeout_seconds=5)
    inbox = ReplyInbox(redis)
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def receive(reply: EmbedReply) -> None:
        if reply.batch_id == "1":
            raise RuntimeError("a fault nobody foresaw")
        heard.put(reply.batch_id)

    strays = [SearchReply(fanout_id="0", shard=0, outcomes=(), search_ms=1.0).to_wire(), b"no reply"]
    pipeline = redis.pipeline()
    for number in range(4):
        inbox.expect_embed(str(number), receive)
        # In one command, so that the inbox pops them together.
        pipeline.rpush(inbox.name, *strays, EmbedReply(batch_id=str(number), outcomes=("error",)).to_wire())
    pipeline.execute()
    assert [heard.get(timeout=60) for _ in range(3)] == ["0", "2", "3"]
