"""What the environment may say, and what a person is told when it says something else."""

import json
from pathlib import Path

import pytest

from embedding_project.config import SETTINGS, ConfigError, read_config

GOOD = {
    "DATABASE_URL": "postgresql://embeddings@127.0.0.1/embeddings",
    "REDIS_URL": "redis://127.0.0.1/0",
    "CACHE_URL": "redis://127.0.0.1/1",
    "SECRET_KEY": "s" * 32,
}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {**GOOD, "VAR_DIR": str(tmp_path)}


def test_defaults_suit_a_laptop(environ: dict[str, str]) -> None:
    config = read_config(environ)
    assert (config.host, config.port, config.shards, config.replicas) == ("127.0.0.1", 8000, 2, 1)
    assert config.on_loopback


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    environ = {"VAR_DIR": str(tmp_path), "PORT": "many", "SHARDS": "0", "REDIS_URL": "http://x", "LOG_LEVEL": "loud"}
    with pytest.raises(ConfigError) as caught:
        read_config(environ)
    message = str(caught.value)
    for name in ("DATABASE_URL", "REDIS_URL", "CACHE_URL", "SECRET_KEY", "PORT", "SHARDS", "LOG_LEVEL"):
        assert f"{name}: " in message


def test_secrets_may_stand_in_files_and_the_file_wins(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("a-key-that-is-long-enough\n", encoding="utf-8")
    config = read_config({**environ, "API_KEY": "another-key-that-is-long", "API_KEY_FILE": str(file)})
    assert config.api_key == "a-key-that-is-long-enough"


def test_only_secrets_may_stand_in_files(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "port"
    file.write_text("9000", encoding="utf-8")
    assert read_config({**environ, "PORT_FILE": str(file)}).port == 8000


def test_an_unreadable_secret_file_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"API_KEY_FILE: cannot read /does/not/exist"):
        read_config({**environ, "API_KEY_FILE": "/does/not/exist"})


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::"])
def test_other_addresses_are_not_loopback(environ: dict[str, str], host: str) -> None:
    assert not read_config({**environ, "HOST": host}).on_loopback


def test_short_keys_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="API_KEY: needs at least 16") as caught:
        read_config({**environ, "API_KEY": "short", "SECRET_KEY": "short"})
    assert "SECRET_KEY: needs at least 32" in str(caught.value)


def test_a_running_instance_fills_in_what_is_not_set(tmp_path: Path) -> None:
    (tmp_path / "instance.json").write_text(json.dumps({"environment": {**GOOD, "PORT": "8123"}}), encoding="utf-8")
    assert read_config({"VAR_DIR": str(tmp_path)}).port == 8123
    assert read_config({"VAR_DIR": str(tmp_path), "PORT": "9000"}).port == 9000


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"environment": 3}'])
def test_a_damaged_instance_file_counts_as_none(environ: dict[str, str], tmp_path: Path, content: str) -> None:
    (tmp_path / "instance.json").write_text(content, encoding="utf-8")
    assert read_config(environ).port == 8000


def test_secrets_do_not_show_in_the_configuration_error(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config({**environ, "API_KEY": "tiny-secret", "REDIS_URL": "http://:hidden@host"})
    assert "tiny-secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"REDIS_URL": "unix:///run/redis.sock"}, "REDIS_URL: must start with redis://"),
        ({"REDIS_URL": "redis://127.0.0.1:many/0"}, "REDIS_URL: its port"),
        ({"DATABASE_URL": "postgresql://127.0.0.1:99999/x"}, "DATABASE_URL: its port"),
        ({"HUB_URL": "hub.example.org"}, "HUB_URL: must start with http:// or https://"),
        ({"TRACES_URL": "http://collector:many/v1/traces"}, "TRACES_URL: its port"),
        ({"ALLOWED_HOSTS": "https://search.example.org"}, "ALLOWED_HOSTS: "),
        ({"ALLOWED_HOSTS": "search.example.org:443"}, "ALLOWED_HOSTS: "),
    ],
)
def test_what_could_never_work_is_refused(environ: dict[str, str], changed: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_config({**environ, **changed})


def test_addresses_and_domains_are_allowed_hosts(environ: dict[str, str]) -> None:
    hosts = "search.example.org, .example.org, [fd00::1], 10.0.0.7, *"
    assert len(read_config({**environ, "ALLOWED_HOSTS": hosts}).allowed_hosts) == 5


def test_a_role_knows_what_the_supervisor_hands_it_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "instance.json").write_text(json.dumps({"environment": GOOD}), encoding="utf-8")
    config = read_config({"VAR_DIR": str(tmp_path), "REDIS_URL": GOOD["REDIS_URL"], "ROLE": "embedder-0"})
    assert (config.database_url, config.cache_url, config.secret_key) == ("", "", "")
    with pytest.raises(ConfigError, match="REDIS_URL: not set"):
        read_config({"VAR_DIR": str(tmp_path), "ROLE": "embedder-0"})


def test_more_threads_than_a_postgres_can_have_connections_are_refused(environ: dict[str, str]) -> None:
    read_config({**environ, "API_PROCESSES": "40", "API_THREADS": "100"})
    with pytest.raises(ConfigError, match="API_PROCESSES x API_THREADS: 6144 threads, at most 4000"):
        read_config({**environ, "API_PROCESSES": "64"})


@pytest.mark.parametrize("name", [name for name, setting in SETTINGS.items() if setting.default])
def test_no_kind_refuses_the_default_of_its_setting(name: str) -> None:
    complaints: list[str] = []
    SETTINGS[name].kind(SETTINGS[name].default, complaints.append)
    assert complaints == []


@pytest.mark.parametrize("name", [name for name, setting in SETTINGS.items() if setting.secret])
def test_no_kind_of_a_secret_repeats_it(name: str) -> None:
    complaints: list[str] = []
    for value in ("short", "redis://:short@host:many/0", "postgresql://:short@host:many/0"):
        SETTINGS[name].kind(value, complaints.append)
    assert bool(complaints) == (name != "ADMIN_PASSWORD")
    assert "short" not in " ".join(complaints)


def test_what_nothing_needs_may_be_empty_and_has_the_type_of_its_kind(environ: dict[str, str]) -> None:
    config = read_config({**environ, "HTTPS": "1", "TRUSTED_PROXIES": "10.0.0.0/8, ::1", "HUB_URL": "http://hub/"})
    assert (config.api_key, config.traces_url, config.cors_origins) == ("", "", ())
    assert (config.https, config.hub_downloads, config.trusted_proxies) == (True, False, ("10.0.0.0/8", "::1"))
    assert (config.hub_url, config.embed_max_wait_seconds, config.model_root.is_absolute()) == ("http://hub", 1.0, True)
