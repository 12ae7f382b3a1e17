"""Nodes of LlamaIndex as documents of the service, and back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.schema import BaseNode, MetadataMode, TextNode
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from embsearch import documents as service
from embsearch.answers import Hit, Written

NODE_ID, REF_DOC_ID = "_node_id", "_ref_doc_id"
"""Metadata that filters can name: the service filters by metadata alone."""
_CONTENT, _KIND = "_node_content", "_node_type"
_OWN = (NODE_ID, REF_DOC_ID, _CONTENT, _KIND)


def document(node: BaseNode, embeds_here: bool) -> service.Document:
    """Raises ValueError for a node that has not what is to be searched."""
    text = node.get_content(metadata_mode=MetadataMode.NONE)
    if embeds_here and node.embedding is None:
        raise ValueError(f"the node {node.node_id!r} has no embedding, and the service embeds nothing here")
    metadata = {**node.metadata, NODE_ID: node.node_id, **_kept(node)}
    if node.ref_doc_id is not None:
        metadata[REF_DOC_ID] = node.ref_doc_id
    return service.Document(node.node_id, text or None, metadata, node.embedding if embeds_here else None)


def _kept(node: BaseNode) -> dict[str, str]:
    """What is neither text nor metadata: relationships, templates, the class of the node."""
    told = node_to_metadata_dict(node, remove_text=True)
    content = {**json.loads(told[_CONTENT]), "metadata": {}}
    return {_CONTENT: json.dumps(content), _KIND: told[_KIND]}


def node(found: Hit | service.StoredDocument) -> BaseNode:
    """Documents that another client wrote are nodes of text."""
    stored: Mapping[str, Any] = found.metadata or {}
    metadata = {name: value for name, value in stored.items() if name not in _OWN}
    if _CONTENT not in stored:
        return TextNode(id_=found.id, text=found.text or "", metadata=metadata)
    made = metadata_dict_to_node({name: stored[name] for name in (_CONTENT, _KIND)}, text=found.text or "")
    made.metadata = metadata
    return made


def ids_of(written: Sequence[Written], pages: Sequence[service.Document]) -> list[str]:
    """Raises the first error of a document, and says which it is."""
    for page, one in zip(pages, written, strict=True):
        if one.error is not None:
            one.error.add_note(f"The node is {page.id!r}. Nodes without a fault were written.")
            raise one.error
    return [page.id for page in pages]
