"""What was measured of a version, in words: for commands and pages."""

from embeddings_app.records.measurements import Measured


def figure_texts(measured: Measured) -> list[tuple[str, str]]:
    """Name and value of each figure that was measured."""
    shown = [
        ("recall@10", measured.recall, "{:.4f}"),
        ("latency, median", measured.latency_p50_ms, "{:.1f} ms"),
        ("latency, p99", measured.latency_p99_ms, "{:.1f} ms"),
        ("median beside the other version", measured.slowdown, "x {:.2f}"),
        ("overlap@10", measured.overlap, "{:.2f}"),
        ("nDCG@10", measured.ndcg, "{:.4f}"),
        ("nDCG@10 of the other version", measured.ndcg_before, "{:.4f}"),
    ]
    return [(name, pattern.format(value)) for name, value, pattern in shown if value is not None]
