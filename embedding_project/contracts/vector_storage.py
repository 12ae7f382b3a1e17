"""How index nodes hold the vectors that are in graphs."""

from enum import StrEnum


class VectorStorage(StrEnum):
    FP32 = "fp32"
    """As they are, four bytes a number."""
    FP16 = "fp16"
    """Rounded to two bytes a number."""
    SQ8 = "sq8"
    """Rounded to one byte a number, between the least and the greatest value of its dimension."""

    @property
    def bytes_a_number(self) -> int:
        return _BYTES[self]


_BYTES = {VectorStorage.FP32: 4, VectorStorage.FP16: 2, VectorStorage.SQ8: 1}
