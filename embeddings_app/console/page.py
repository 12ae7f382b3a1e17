"""What the frame must know of a page.

A page is three files of one name: `pages/NAME.py` holds this value, `templates/console/NAME.html` stands in the frame,
and `static/console/pages/NAME.js` fills it from the API.
"""

from dataclasses import dataclass
from typing import Literal

from embeddings_app.models import Scope

Group = Literal["Search", "Data", "Models", "Service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    name: str
    """Also of its template and of its module."""
    path: str
    """Below /console/."""
    title: str
    icon: str
    """A symbol of icons.svg."""
    group: Group
    """Under which heading the navigation shows it."""
    needs: Scope
    """The scope without which nothing on it works; whoever lacks it does not see it in the navigation."""

    @property
    def template(self) -> str:
        return f"console/{self.name}.html"

    @property
    def module(self) -> str:
        return f"console/pages/{self.name}.js"

    @property
    def url_name(self) -> str:
        return f"console_{self.name}"
