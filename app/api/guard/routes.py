"""Every route there is, with the scope that its key needs. What is not listed is not served.

One table, so that nobody can add a route and forget to say who may use it: a route without an
entry answers 404, and a test fails.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from starlette.routing import compile_path

from app.keys.key import Scope


class Open(StrEnum):
    """Not a scope: for those routes that need no key."""

    OPEN = "open"


OPEN = Open.OPEN
SEARCH, WRITE, ADMIN = Scope.SEARCH, Scope.WRITE, Scope.ADMIN
Need = Scope | Open

# An open route must hold nothing that is anybody's: it is alive, or it is the page without data.
ROUTES: dict[tuple[str, str], Need] = {
    ("GET", "/health"): OPEN,
    ("GET", "/"): OPEN,
    ("GET", "/web/{name}"): OPEN,
    ("GET", "/ready"): SEARCH,
    ("GET", "/openapi.json"): SEARCH,
    ("GET", "/search"): SEARCH,
    ("POST", "/search"): SEARCH,
    ("GET", "/status"): SEARCH,
    ("GET", "/judgements"): SEARCH,
    ("POST", "/judgements"): WRITE,
    ("GET", "/collections"): SEARCH,
    ("GET", "/documents"): SEARCH,
    ("POST", "/documents"): WRITE,
    ("DELETE", "/documents"): WRITE,
    ("GET", "/documents/{document_id}"): SEARCH,
    ("DELETE", "/documents/{document_id}"): WRITE,
    ("GET", "/documents/{document_id}/chunks/{chunk_id}"): SEARCH,
    ("GET", "/documents/{document_id}/similar"): SEARCH,
    ("GET", "/v1/models"): SEARCH,
    ("POST", "/v1/embeddings"): SEARCH,
    ("POST", "/embed"): SEARCH,
    ("GET", "/info"): SEARCH,
    ("GET", "/health_generate"): SEARCH,
    ("GET", "/mcp"): SEARCH,
    ("POST", "/mcp"): SEARCH,
    ("DELETE", "/mcp"): SEARCH,
    ("POST", "/rerank"): SEARCH,
    ("GET", "/metrics"): ADMIN,
}

ROUTE = "semsearch.route"  # in a connection's scope: `Found` or None, by the envelope


@dataclass(frozen=True, slots=True)
class Found:
    """What the table says of a path: its template, and what each method needs."""

    template: str
    needs: dict[str, Need]


class Routes:
    """The table, ready to be asked. Paths are matched by Starlette's own patterns."""

    def __init__(self, table: dict[tuple[str, str], Need]) -> None:
        needs: dict[str, dict[str, Need]] = {}
        for (method, template), need in table.items():
            needs.setdefault(template, {})[method] = need
        found = [Found(template, methods) for template, methods in needs.items()]
        self._plain = {f.template: f for f in found if "{" not in f.template}
        self._patterns: list[tuple[re.Pattern[str], Found]] = [
            (compile_path(f.template)[0], f) for f in found if "{" in f.template
        ]

    def find(self, path: str) -> Found | None:
        """The entry of this path; None for one that is not served."""
        if path in self._plain:
            return self._plain[path]
        for pattern, found in self._patterns:
            if pattern.match(path):
                return found
        return None
