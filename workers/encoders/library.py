"""The transformers library, imported by the first model that is loaded with it: the packaged model needs none of it.

With the classes of one model, the import takes twice as long as that of torch.
"""

from functools import cache
from typing import Any


@cache
def transformers_library() -> Any:
    import transformers

    transformers.utils.logging.disable_progress_bar()
    return transformers
