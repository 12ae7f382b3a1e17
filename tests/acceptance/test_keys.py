"""Keys: made and revoked by the command, with scopes, namespaces and limits, on an instance that has some."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import openai
import pytest

from embedding_project.config import INSTANCE_FILE
from tests.acceptance.conftest import ok
from tests.conftest import ROOT, Service, free_port, outside_environment, scratch_directory
from tests.loaded_commands import Run, loaded_commands

MakeKey = Callable[..., str]
NAMESPACE = "tenant-a"


@pytest.fixture(scope="module")
def manage(small: Service) -> Iterator[Run]:
    with loaded_commands({**os.environ, **outside_environment(small.var)}, knows_instance=True) as run:
        yield run


@pytest.fixture(scope="module")
def keyed(small: Service, manage: Run) -> Service:
    """With a first key, which ends keyless use for good."""
    body = {"id": "d", "text": "a text", "namespace": NAMESPACE, "wait": "searchable"}
    assert httpx.post(f"{small.url}/v1/upsert", json=body, timeout=30).status_code == 200
    assert "the service is keyless" in manage("apikey", "list").stdout
    small.manage("apikey", "create", "--name", "first", "--scope", "search", "--yes")
    _until_keyed(small.url)
    return small


def _until_keyed(url: str) -> None:
    until = time.monotonic() + 60
    while httpx.get(f"{url}/v1/models", timeout=30.0).status_code == 200 and time.monotonic() < until:
        time.sleep(0.1)
    assert httpx.get(f"{url}/v1/models", timeout=30.0).status_code == 401


@pytest.fixture(scope="module")
def make_key(keyed: Service, manage: Run) -> MakeKey:
    def make(*scopes: str, **options: object) -> str:
        flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        scoped = [part for scope in scopes for part in ("--scope", scope)]
        made = manage("apikey", "create", "--name", "made", *scoped, *flags)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    return make


def ask(service: Service, key: str, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        return client.request(method, path, json=body, headers={"authorization": f"Bearer {key}", **headers})


CALLS: dict[str, tuple[str, str, object]] = {
    "embed": ("POST", "/v1/embed", {"inputs": ["x"]}),
    "tokenize": ("POST", "/v1/tokenize", {"inputs": ["x"]}),
    "info": ("GET", "/info", None),
    "search": ("POST", "/v1/search", {"query": "text", "namespace": NAMESPACE}),
    "upsert": ("POST", "/v1/upsert", {"id": "e", "text": "t", "namespace": NAMESPACE}),
    "read": ("GET", f"/v1/vectors/d?namespace={NAMESPACE}", None),
    "namespace": ("GET", f"/v1/namespaces/{NAMESPACE}", None),
    "delete": ("DELETE", f"/v1/vectors/none?namespace={NAMESPACE}", None),
    "metrics": ("GET", "/metrics", None),
    "models": ("GET", "/v1/models", None),
    "versions": ("GET", "/v1/models/all-MiniLM-L6-v2/versions", None),
    "version": ("GET", "/v1/models/all-MiniLM-L6-v2/versions/1", None),
    "probe": ("POST", "/v1/models/all-MiniLM-L6-v2/versions/1/probe", None),
    "estimate": ("POST", "/v1/models/all-MiniLM-L6-v2/versions/1/estimate", None),
    "switch": ("POST", "/v1/models/all-MiniLM-L6-v2/versions/1/switch", None),
    "runs": ("GET", "/v1/reembed-runs", None),
    "imports": ("GET", "/v1/imports", None),
}
OPEN_TO_EVERY_KEY = {"models", "info", "versions", "version"}


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("embed", {"embed", "tokenize"}),
        ("search", {"search", "read", "namespace"}),
        ("write", {"upsert", "delete", "read", "namespace"}),
        ("operate", {"metrics", "probe", "estimate", "switch", "runs", "imports"}),
        ("admin", {"metrics", "probe", "estimate", "switch", "runs", "imports"}),
    ],
)
def test_a_key_may_do_what_its_scope_says_and_nothing_else(
    keyed: Service, make_key: MakeKey, scope: str, allowed: set[str]
) -> None:
    key, allowed = make_key(scope), allowed | OPEN_TO_EVERY_KEY
    answers = {name: ask(keyed, key, *call) for name, call in CALLS.items()}
    assert {name for name, answer in answers.items() if answer.status_code == 200} == allowed
    refused = [answer for name, answer in answers.items() if name not in allowed]
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in refused} == {(403, "forbidden_scope")}


def test_who_operates_registers_no_version_and_starts_no_import(keyed: Service, make_key: MakeKey) -> None:
    operate, admin = make_key("operate"), make_key("admin")
    for path in ("/v1/models/all-MiniLM-L6-v2/versions", "/v1/imports", "/v1/keys"):
        answer = ask(keyed, operate, "POST", path, {})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden_scope"), path
    for path in ("/v1/activity", "/v1/cluster"):
        assert [ask(keyed, key, "GET", path).status_code for key in (operate, admin)] == [200, 200]


def test_steps_of_versions_and_runs_need_the_scope_operate_or_admin(keyed: Service, make_key: MakeKey) -> None:
    key = make_key("embed", "search", "write")
    version = "/v1/models/all-MiniLM-L6-v2/versions"
    changes = [version, *(f"{version}/1/{step}" for step in ("probe", "estimate", "start", "switch", "retire"))]
    changes += [f"/v1/reembed-runs/1/{step}" for step in ("pause", "resume", "cancel")]
    changes += ["/v1/imports", *(f"/v1/imports/1/{step}" for step in ("pause", "resume", "abort"))]
    reads = [
        "/v1/imports",
        "/v1/imports/1",
        "/v1/reembed-runs",
        "/v1/reembed-runs/1",
        "/v1/reembed-runs/1/failed-texts",
    ]
    for method, path in [*(("POST", path) for path in changes), *(("GET", path) for path in reads)]:
        answer = ask(keyed, key, method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden_scope"), path


def test_only_an_admin_reads_what_a_probe_found_and_only_one_of_all_namespaces_reads_failed_texts(
    keyed: Service, make_key: MakeKey
) -> None:
    admin = make_key("admin")
    path = "/v1/models/bad-probe/versions"
    body = {"type": "transformers", "artifact": "none", "dimension": 8, "pooling": "mean", "max_tokens": 8}
    assert ask(keyed, admin, "POST", path, body).status_code == 201
    probed = ok(ask(keyed, admin, "POST", f"{path}/1/probe"))
    assert not probed["passed"]
    problem = probed["version"]["probe"]["problem"]
    assert problem
    assert problem in probed["message"]
    seen = ok(ask(keyed, make_key("search"), "GET", f"{path}/1"))["probe"]
    assert (seen["passed"], seen["problem"]) == (False, None)
    narrow = make_key("admin", namespace=NAMESPACE)
    answer = ask(keyed, narrow, "GET", "/v1/reembed-runs/1/failed-texts")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden_namespace")


def test_what_a_key_did_with_versions_is_in_the_audit_log(keyed: Service, manage: Run, make_key: MakeKey) -> None:
    key = make_key("admin")
    path = "/v1/models/audited/versions"
    assert ask(keyed, key, "POST", path, {"type": "external", "dimension": 4}).status_code == 201
    ok(ask(keyed, key, "POST", f"{path}/1/retire", {"reason": "a test of reasons"}))
    script = (
        "from embeddings_app.models import AuditEvent\n"
        "for event in AuditEvent.objects.filter(subject='audited v1'): print(event.actor, event.action, event.detail)"
    )
    said = manage("shell", "-v", "0", "-c", script).stdout
    actor = f"key:{key.split('_')[1]}"
    assert f"{actor} model.registered" in said
    assert f"{actor} model.retired" in said
    assert "a test of reasons" in said


def test_a_key_of_one_namespace_hears_the_same_of_all_others(keyed: Service, make_key: MakeKey) -> None:
    key = make_key("search", "write", namespace="tenant-b")
    for other in (NAMESPACE, "never-written", "default"):
        calls: list[tuple[str, str, object]] = [
            ("POST", "/v1/search", {"query": "text", "namespace": other}),
            ("POST", "/v1/upsert", {"id": "e", "text": "t", "namespace": other}),
            ("GET", f"/v1/vectors/d?namespace={other}", None),
            ("DELETE", f"/v1/vectors/d?namespace={other}", None),
            ("GET", f"/v1/namespaces/{other}", None),
        ]
        for call in calls:
            answer = ask(keyed, key, *call)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden_namespace"), call
    answer = ask(keyed, key, "POST", "/v1/search", {"query": "text"})
    assert answer.json()["error"]["code"] == "forbidden_namespace"
    ok(ask(keyed, key, "POST", "/v1/upsert", {"id": "e", "text": "t", "namespace": "tenant-b"}))


def test_a_key_of_one_namespace_hears_of_no_search_in_another(keyed: Service, make_key: MakeKey) -> None:
    empty = {"query": "nothing", "namespace": NAMESPACE, "min_score": 1}
    assert ok(ask(keyed, make_key("search"), "POST", "/v1/search", empty))["hits"] == []

    def seen(key: str) -> set[str]:
        return {search["namespace"] for search in ok(ask(keyed, key, "GET", "/v1/activity"))["searches"]}

    wide, until = make_key("admin"), time.monotonic() + 60
    while NAMESPACE not in seen(wide):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert NAMESPACE in seen(make_key("admin", namespace=NAMESPACE))
    assert seen(make_key("admin", namespace="tenant-b")) <= {"tenant-b"}


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Basic eDp5", "Bearer emb_0123456789_" + "a" * 40, "Bearer " + "k" * 30_000],
)
def test_what_is_no_key_is_401(keyed: Service, authorization: str) -> None:
    answer = httpx.post(
        f"{keyed.url}/v1/embed", json={"inputs": ["x"]}, headers={"authorization": authorization}, timeout=30.0
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_to_post_to_the_root_needs_a_key_though_it_may_be_read_without(keyed: Service, make_key: MakeKey) -> None:
    assert httpx.get(keyed.url, timeout=30.0).status_code == 302
    assert httpx.post(keyed.url, json={"inputs": "x"}, timeout=30.0).status_code == 401
    assert ask(keyed, make_key("search"), "POST", "/", {"inputs": "x"}).status_code == 403
    assert ask(keyed, make_key("embed"), "POST", "/", {"inputs": "x"}).status_code == 200


def test_a_key_in_the_url_is_no_key(keyed: Service, make_key: MakeKey) -> None:
    key = make_key("search")
    assert (
        httpx.get(f"{keyed.url}/v1/models?api_key={key}&authorization=Bearer%20{key}", timeout=30.0).status_code == 401
    )
    for header in ("X-API-Key", "api-key"):
        assert httpx.get(f"{keyed.url}/v1/models", headers={header: key}, timeout=30.0).status_code == 200
        assert httpx.get(f"{keyed.url}/v1/models", headers={header: key + "x"}, timeout=30.0).status_code == 401


def test_a_revoked_key_is_refused_within_five_seconds(keyed: Service, manage: Run, make_key: MakeKey) -> None:
    key = make_key("search")
    assert ask(keyed, key, "GET", "/v1/models").status_code == 200
    assert "revoked" in manage("apikey", "revoke", key.split("_")[1]).stdout
    time.sleep(5)
    assert ask(keyed, key, "GET", "/v1/models").status_code == 401
    assert f"{key.split('_')[1]}  revoked" in manage("apikey", "list").stdout


def test_an_expired_key_is_refused(keyed: Service, make_key: MakeKey) -> None:
    for seconds in (8, 30, 120):
        key = make_key("search", expires=f"{seconds}s")
        # On a busy machine it may have expired before anybody could use it.
        if ask(keyed, key, "GET", "/v1/models").status_code == 200:
            break
    else:
        pytest.fail("no key was ever valid")
    time.sleep(seconds)
    assert ask(keyed, key, "GET", "/v1/models").status_code == 401


def test_requests_beyond_the_limit_are_429_with_an_honest_wait(keyed: Service, make_key: MakeKey) -> None:
    key = make_key("search", requests_per_second=0.1)
    answers = [ask(keyed, key, "GET", "/v1/models") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 429, 429]
    error = answers[-1].json()["error"]
    assert error["code"] == "rate_limited"
    time.sleep(int(answers[-1].headers["retry-after"]))
    assert ask(keyed, key, "GET", "/v1/models").status_code == 200


def test_inputs_are_counted_and_a_full_request_always_fits_the_bucket(keyed: Service, make_key: MakeKey) -> None:
    key = make_key("embed", inputs_per_second=1)
    texts = [f"input {number}" for number in range(256)]
    assert ask(keyed, key, "POST", "/v1/embed", {"inputs": texts}).status_code == 200
    answer = ask(keyed, key, "POST", "/v1/embed", {"inputs": texts[:200]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 200


def test_an_openai_client_hears_of_keys_and_limits_in_its_own_classes(keyed: Service, make_key: MakeKey) -> None:
    def create(key: str, count: int = 1) -> openai.types.CreateEmbeddingResponse:
        with openai.OpenAI(base_url=f"{keyed.url}/v1", api_key=key, max_retries=0) as client:
            return client.embeddings.create(model="all-MiniLM-L6-v2", input=["x"] * count)

    with pytest.raises(openai.AuthenticationError) as wrong:
        create("emb_0123456789_" + "a" * 40)
    assert (wrong.value.code, wrong.value.type) == ("unauthenticated", "authentication_error")
    with pytest.raises(openai.PermissionDeniedError):
        create(make_key("search"))
    limited = make_key("embed", inputs_per_second=0.01)
    assert len(create(limited, 2048).data) == 2048
    with pytest.raises(openai.RateLimitError) as refused:
        create(limited)
    assert (refused.value.code, refused.value.type) == ("rate_limited", "rate_limit_error")
    assert int(refused.value.response.headers["retry-after"]) >= 1


def test_a_tei_client_hears_of_keys_in_its_own_form(keyed: Service, make_key: MakeKey) -> None:
    answer = ask(keyed, make_key("search"), "POST", "/embed", {"inputs": "x"})
    assert (answer.status_code, answer.json()["error_type"]) == (403, "Validation")
    assert len(ask(keyed, make_key("embed"), "POST", "/embed", {"inputs": "x"}).json()[0]) == 384
    assert httpx.get(f"{keyed.url}/info", timeout=30.0).status_code == 401
    assert httpx.get(f"{keyed.url}/health", timeout=30.0).status_code == 200


def test_the_scope_is_checked_before_the_body_is_read(keyed: Service, make_key: MakeKey) -> None:
    answer = httpx.post(
        f"{keyed.url}/v1/upsert", content=b"not json", headers={"authorization": f"Bearer {make_key('search')}"},
        timeout=30.0,
    )  # fmt: skip
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden_scope")


def test_without_the_cache_limits_hold_in_each_process(keyed: Service, make_key: MakeKey) -> None:
    # A busy machine may take many seconds for the four, which ask a frozen server.
    key = make_key("search", requests_per_second=0.01)
    processes = json.loads((keyed.var / INSTANCE_FILE).read_text())["processes"]
    os.kill(processes["cache"], 19)
    try:
        statuses = [ask(keyed, key, "GET", "/v1/models").status_code for _ in range(4)]
    finally:
        os.kill(processes["cache"], 18)
    assert statuses == [200, 429, 429, 429]


def test_what_was_done_with_keys_is_in_the_audit_log(manage: Run, make_key: MakeKey) -> None:
    prefix = make_key("search").split("_")[1]
    script = f"from embeddings_app.models import AuditEvent; print(AuditEvent.objects.get(subject='{prefix}').action)"
    assert "key.created" in manage("shell", "-v", "0", "-c", script).stdout


def test_a_service_beyond_loopback_without_any_key_does_not_start() -> None:
    var = scratch_directory()
    environ = {**os.environ, **outside_environment(var), "HOST": "0.0.0.0", "PORT": str(free_port())}
    done = subprocess.run(
        [sys.executable, "manage.py", "up", "--var", str(var)], cwd=ROOT, env=environ, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode != 0
    assert "HOST is 0.0.0.0: set API_KEY" in done.stdout + done.stderr


def test_the_deployment_checklist_is_clean_behind_https(keyed: Service) -> None:
    environ = {**os.environ, **outside_environment(keyed.var), "HTTPS": "1"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"], cwd=ROOT, env=environ,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_passwords_of_the_admin_cannot_be_guessed_for_long(keyed: Service) -> None:
    with httpx.Client(base_url=keyed.url, timeout=30) as client:
        page = client.get("/admin/login/")
        token = page.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        password = json.loads((keyed.var / "secrets.json").read_text())["admin_password"]

        def log_in(name: str, given: str) -> int:
            form = {"username": name, "password": given, "csrfmiddlewaretoken": token}
            return client.post("/admin/login/?next=/admin/", data=form).status_code

        assert {log_in("admin", f"wrong {number}") for number in range(11)} == {200}
        assert log_in("admin", password) == 200, "even the right one waits now"
        assert "csrfmiddlewaretoken" in client.get("/admin/login/").text
