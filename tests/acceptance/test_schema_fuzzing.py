"""The served OpenAPI document is true: thousands of requests made from it, good and bad, are answered as it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import Service

CASES = int(os.environ.get("FUZZ_CASES", "25"))
"""Random cases of each operation, on top of the systematic ones. `make fuzz` takes twenty times as many."""
SEED = ("--seed", os.environ["FUZZ_SEED"]) if "FUZZ_SEED" in os.environ else ()
"""The same for each time that one run asks, so that a fault that was found is found again."""
LIMIT_SECONDS = 3_600
_TOLD = re.compile(r"Tested: (\d+)|(\d+) generated")


_SETTINGS = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]

[[operations]]
include-name = "POST /v1/embed"
checks.negative_data_rejection.enabled = false

[[operations]]
include-name = "POST /v1/upsert"
checks.negative_data_rejection.enabled = false

[[operations]]
include-name = "POST /v1/search/batch"
checks.negative_data_rejection.enabled = false

[[operations]]
include-name-regex = "^POST /v1/models/.*/versions/"
parameters = { "path.model_id" = "fuzzed/model" }
checks.negative_data_rejection.enabled = false

[[operations]]
include-name-regex = "^POST /v1/reembed-runs/"
parameters = { "path.run_id" = 9223372036854775807 }

[[operations]]
include-name-regex = "^POST /v1/imports/"
parameters = { "path.import_id" = 9223372036854775807 }

[[operations]]
include-name = "POST /v1/keys"
enabled = false
"""
"""The usual statuses, and 413: a list with too many items may also make a body that is too large.

A bad text, document or search fails alone in these three operations, beside good ones the answer is 200. JSON Schema
cannot say that; the table of bad inputs shows what they refuse.

Steps go to versions of one model, to a run and to an import that are not there, whatever was made up: those of other
tests must stay as they are. No key is made: the first would end keyless use for every other test.
"""
_LEFT_OUT = 1


@pytest.mark.slow
def test_no_answer_is_a_500_or_undocumented(service: Service, external_model: str, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{service.url}/v1/openapi.json",
        "--phases", "coverage,fuzzing", "--max-examples", str(CASES), *SEED, "--workers", "1", "--no-color",
        # What JSON Schema cannot say (bytes of a text, a namespace of another model) is 400 for schema-valid requests.
        "--exclude-checks", "positive_data_acceptance",
    ]  # fmt: skip
    (tmp_path / "schemathesis.toml").write_text(_SETTINGS)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    assert done.returncode == 0, done.stdout[-8000:]
    tested, generated = (int(one or other) for one, other in _TOLD.findall(done.stdout))
    paths = httpx.get(f"{service.url}/v1/openapi.json", timeout=30.0).json()["paths"]
    assert tested == sum(map(len, paths.values())) - _LEFT_OUT
    assert generated >= CASES
