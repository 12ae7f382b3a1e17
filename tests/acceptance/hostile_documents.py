"""Documents whose ids, texts and metadata would be markup in a page that does not take care."""

from typing import Any

SCRIPT = "<script>window.taken = 1</script>"
IMAGE = '"><img src=x onerror="window.taken = 1">'
RIGHT_TO_LEFT = "الثعلب البني يقفز فوق الكلب الكسول \u202e txt.exe"
DOCUMENTS: list[dict[str, Any]] = [
    {"id": SCRIPT, "text": f"A fox {SCRIPT} in a den.", "metadata": {"kind": SCRIPT, "note": IMAGE, "year": 2020}},
    {"id": IMAGE, "text": f"{IMAGE} foxes hunt", "metadata": {"kind": "plain", "<b>bold</b>": "field", "year": 2021}},
    {"id": "rtl/1", "text": RIGHT_TO_LEFT, "metadata": {"kind": RIGHT_TO_LEFT, "year": 2022}},
    {
        "id": "emoji/🦊",
        "text": "🦊🦉 A fox and an owl 👩‍👩‍👧",
        "metadata": {"kind": "🦊", "tags": ["🦊", "by"]},
    },
    {
        "id": "l" * 500,
        "text": "A long id, fox. " * 60,
        "metadata": {"kind": "plain", "long": "w" * 400, "year": 2023},
    },
    {"id": "plain/1", "text": "Foxes live in dens. They sleep by day.", "metadata": {"kind": "plain", "year": 2024}},
    {"id": "plain/2", "text": "Owls hunt at night.", "metadata": {"kind": "plain", "lang": "en", "year": 2024}},
    {"id": "deep/1", "text": "A hen.", "metadata": {"kind": "plain", "author": {"name": "javascript:alert(1)"}}},
]
