"""Waves of a run on their way to the workers. One that could not be sent lies still, and is sent again."""

import logging
from collections.abc import Sequence

from embedding_project.broker.dispatch import send_reembed_wave
from embedding_project.contracts.errors import Unavailable

logger = logging.getLogger(__name__)


def send_wave(run_key: int, wave: int, chunk_keys: Sequence[int]) -> None:
    try:
        send_reembed_wave(run_key, wave, chunk_keys)
    except Unavailable as error:
        logger.warning("a wave of run %d was not sent: %s", run_key, error.code)
