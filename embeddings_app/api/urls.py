"""Routes of the API."""

from django.urls import path, register_converter

from embeddings_app.api.requests.names import RestOfPath
from embeddings_app.api.routes.catalog import Model, Models
from embeddings_app.api.routes.docs import Docs, OpenApi
from embeddings_app.api.routes.document_changes import DocumentDelete, DocumentUpdate
from embeddings_app.api.routes.document_lists import DocumentCount, DocumentFacet, DocumentGet, DocumentQuery
from embeddings_app.api.routes.document_map import DocumentMap
from embeddings_app.api.routes.documents import Document
from embeddings_app.api.routes.embed import Embed
from embeddings_app.api.routes.health import Healthz, Metrics, Readyz
from embeddings_app.api.routes.imports import AbortImport, Import, Imports, PauseImport, ResumeImport
from embeddings_app.api.routes.keys import Key, Keys
from embeddings_app.api.routes.namespaces import Namespaces, OneNamespace
from embeddings_app.api.routes.openai import Embeddings
from embeddings_app.api.routes.operating import Activity, Cluster
from embeddings_app.api.routes.reembed_runs import Cancel, FailedTexts, Pause, Resume, Run, Runs
from embeddings_app.api.routes.rerank import Rerank, TeiRerank
from embeddings_app.api.routes.search import Search, SearchBatch
from embeddings_app.api.routes.tei import Root, TeiEmbed, TeiHealth, TeiInfo
from embeddings_app.api.routes.tokenize import Tokenize
from embeddings_app.api.routes.upsert import Upsert
from embeddings_app.api.routes.version_steps import EstimateRun, Probe, Retire, Start, Switch
from embeddings_app.api.routes.versions import Version, Versions

register_converter(RestOfPath, "doc_id")
register_converter(RestOfPath, "model_id")

urlpatterns = [
    path("", Root.as_view()),
    path("healthz", Healthz.as_view()),
    path("readyz", Readyz.as_view()),
    path("metrics", Metrics.as_view()),
    path("v1/embed", Embed.as_view()),
    path("v1/embeddings", Embeddings.as_view()),
    path("v1/tokenize", Tokenize.as_view()),
    path("v1/rerank", Rerank.as_view()),
    path("v1/upsert", Upsert.as_view()),
    path("v1/search", Search.as_view()),
    path("v1/search/batch", SearchBatch.as_view()),
    path("v1/documents/query", DocumentQuery.as_view()),
    path("v1/documents/get", DocumentGet.as_view()),
    path("v1/documents/count", DocumentCount.as_view()),
    path("v1/documents/facet", DocumentFacet.as_view()),
    path("v1/documents/map", DocumentMap.as_view()),
    path("v1/documents/update", DocumentUpdate.as_view()),
    path("v1/documents/delete", DocumentDelete.as_view()),
    path("v1/vectors/<doc_id:doc_id>", Document.as_view()),
    path("v1/namespaces", Namespaces.as_view()),
    path("v1/namespaces/<str:name>", OneNamespace.as_view()),
    path("v1/models", Models.as_view()),
    # A model id holds slashes, so what ends in more than an id comes first.
    path("v1/models/<model_id:model_id>/versions", Versions.as_view()),
    path("v1/models/<model_id:model_id>/versions/<str:version>", Version.as_view()),
    path("v1/models/<model_id:model_id>/versions/<str:version>/probe", Probe.as_view()),
    path("v1/models/<model_id:model_id>/versions/<str:version>/estimate", EstimateRun.as_view()),
    path("v1/models/<model_id:model_id>/versions/<str:version>/start", Start.as_view()),
    path("v1/models/<model_id:model_id>/versions/<str:version>/switch", Switch.as_view()),
    path("v1/models/<model_id:model_id>/versions/<str:version>/retire", Retire.as_view()),
    path("v1/models/<model_id:model_id>", Model.as_view()),
    path("v1/activity", Activity.as_view()),
    path("v1/cluster", Cluster.as_view()),
    path("v1/reembed-runs", Runs.as_view()),
    path("v1/reembed-runs/<str:run_id>", Run.as_view()),
    path("v1/reembed-runs/<str:run_id>/failed-texts", FailedTexts.as_view()),
    path("v1/reembed-runs/<str:run_id>/pause", Pause.as_view()),
    path("v1/reembed-runs/<str:run_id>/resume", Resume.as_view()),
    path("v1/reembed-runs/<str:run_id>/cancel", Cancel.as_view()),
    path("v1/imports", Imports.as_view()),
    path("v1/imports/<str:import_id>", Import.as_view()),
    path("v1/imports/<str:import_id>/pause", PauseImport.as_view()),
    path("v1/imports/<str:import_id>/resume", ResumeImport.as_view()),
    path("v1/imports/<str:import_id>/abort", AbortImport.as_view()),
    path("v1/keys", Keys.as_view()),
    path("v1/keys/<str:prefix>", Key.as_view()),
    path("embed", TeiEmbed.as_view()),
    path("rerank", TeiRerank.as_view()),
    path("info", TeiInfo.as_view()),
    path("health", TeiHealth.as_view()),
    path("v1/docs", Docs.as_view(), name="docs"),
    path("v1/openapi.json", OpenApi.as_view(), name="openapi"),
]
