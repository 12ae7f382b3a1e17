"""Make vendor/icons.svg out of the package lucide-static, unpacked: `python -m embeddings_app.console.icons FOLDER`.

Run by hand, after `npm pack lucide-static@VERSION`; the file it makes is kept in the repository.
"""

import re
import sys
from pathlib import Path

ICONS = {
    "activity": "activity",
    "add": "plus",
    "admin": "settings",
    "api": "book-open",
    "check": "check",
    "close": "x",
    "cluster": "server",
    "compare": "columns-2",
    "copy": "copy",
    "documents": "file-text",
    "download": "download",
    "embed": "scan-text",
    "filter": "list-filter",
    "home": "house",
    "info": "info",
    "key": "key-round",
    "keyboard": "keyboard",
    "leave": "log-out",
    "map": "map",
    "menu": "menu",
    "missing": "circle-help",
    "models": "box",
    "next": "chevron-right",
    "pause": "pause",
    "play": "play",
    "refresh": "refresh-cw",
    "search": "search",
    "similar": "sparkles",
    "star": "star",
    "theme": "sun-moon",
    "tokens": "letter-text",
    "trash": "trash-2",
    "upload": "upload",
    "warning": "triangle-alert",
}
"""Name in the console -> name in the package."""
_TARGET = Path(__file__).parent / "static" / "console" / "vendor" / "icons.svg"


def sprite(icons: Path) -> str:
    """One file with a symbol for each icon. Raises OSError when the package lacks one."""
    symbols = "\n".join(_symbol(name, (icons / f"{source}.svg").read_text()) for name, source in ICONS.items())
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{symbols}\n</svg>\n'


def _symbol(name: str, source: str) -> str:
    start = source.index(">", source.index("<svg")) + 1
    inner = re.sub(r"\s+", " ", source[start : source.rindex("</svg>")]).strip()
    return f'<symbol id="{name}" viewBox="0 0 24 24">{inner}</symbol>'


if __name__ == "__main__":
    _TARGET.write_text(sprite(Path(sys.argv[1]) / "icons"))
