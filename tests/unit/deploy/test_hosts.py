"""Units of systemd and configurations of proxies."""

import re
from pathlib import Path

import pytest

from tests.unit.deploy.started import DEPLOY, SYSTEMD, unit


@pytest.mark.parametrize("path", SYSTEMD, ids=lambda path: path.name)
def test_a_unit_is_hardened_and_comes_back(path: Path) -> None:
    service = unit(path)["Service"]
    assert service["User"] == "embeddings"
    assert (service["Restart"], service["KillMode"], service["Type"]) == ("always", "mixed", "exec")
    assert (service["ProtectSystem"], service["NoNewPrivileges"]) == ("strict", "true")
    assert unit(path)["Install"]["WantedBy"] == unit(path)["Unit"]["PartOf"] == "embeddings.target"


def test_there_is_a_template_where_there_may_be_many() -> None:
    names = {path.stem.removeprefix("embeddings-") for path in SYSTEMD}
    assert names == {"api", "embedder@", "node@", "indexer", "beat", "bulk"}
    lines = (DEPLOY / "systemd" / "embeddings-node@.service").read_text(encoding="utf-8").splitlines()
    files = [line.partition("=")[2] for line in lines if line.startswith("EnvironmentFile=")]
    assert files == ["/etc/embeddings/service.env", "/etc/embeddings/node-%i.env"]


def test_the_lines_of_nginx_are_those_of_the_page() -> None:
    page = (DEPLOY.parent / "docs" / "how-to" / "run-with-your-own-postgres-and-redis.md").read_text(encoding="utf-8")
    shown = re.findall(r"(?:proxy_set_header|client_max_body_size|proxy_http_version) .*", page)
    text = (DEPLOY / "proxy" / "nginx.conf").read_text(encoding="utf-8")
    assert len(shown) >= 6
    assert [line for line in shown if line not in text] == []
    assert text.count("{") == text.count("}")


def test_caddy_takes_bodies_as_large_as_the_api_does() -> None:
    text = (DEPLOY / "proxy" / "Caddyfile").read_text(encoding="utf-8")
    assert "max_size 9MB" in text
    assert "reverse_proxy 127.0.0.1:8000" in text
    assert text.count("{") == text.count("}")
