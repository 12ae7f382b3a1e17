"""What a person can open and type once an instance is ready."""

from embedding_project.config import Config
from supervisor.readiness import public_url
from supervisor.secrets import SECRETS_FILE

_ADDRESSES = """\
  console   {url}/console/
  admin     {url}/admin/   user admin, first password in {secrets}
  API docs  {url}/v1/docs"""
_EMBED = ("/v1/embed", '{"inputs": ["a red fox"]}')
_SEARCH_STDLIB = ("/v1/search", '{"namespace": "stdlib", "query": "copy a folder", "include": ["text"], "top_k": 3}')


def welcome(config: Config, *, has_corpus: bool = False) -> str:
    """Addresses and a command to try: a search where there is the corpus of the demo, else an embedding."""
    url = public_url(config)
    path, body = _SEARCH_STDLIB if has_corpus else _EMBED
    key = "-H 'Authorization: Bearer '\"$API_KEY\" " if config.api_key else ""
    curl = f"  curl -s {url}{path} {key}-H 'Content-Type: application/json' \\\n    -d '{body}'"
    return f"{_ADDRESSES.format(url=url, secrets=config.var_dir / SECRETS_FILE)}\n{curl}"
