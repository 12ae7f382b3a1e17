"""Index nodes as a grid of shards and replicas, and the embedders."""

from embeddings_app.console.page import Page
from embeddings_app.models import Scope

PAGE = Page(name="cluster", path="cluster/", title="Cluster", icon="cluster", group="Service", needs=Scope.OPERATE)
