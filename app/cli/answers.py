"""The answer to a search, as JSON has it: from a running service, or found in this process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.settings import Settings

if TYPE_CHECKING:
    from app.cli.progress import Screen

NO_SERVER = "none"
# A service loads its model at the first question, which may take as long as a download.
_PATIENCE_S = 600.0

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A search as /search takes it; what is None was not given."""

    query: str
    collections: list[str]
    options: Mapping[str, Any]

    def to_json(self) -> Values:
        """The body of a request."""
        given = {name: value for name, value in self.options.items() if value is not None}
        return {"query": self.query, "collection": self.collections, **given}


def from_service(asked: Asked, url: str, key: str | None) -> Values:
    """What the service at this address answers.

    Raises:
        SemsearchError: it refused, with its own words, or cannot be reached.
    """
    from app.client import calls
    from app.client.connection import Connection
    from app.client.plain import ask

    return ask(calls.answer(asked.to_json()), Connection.to(url, _PATIENCE_S, key))


def from_running(asked: Asked, settings: Settings) -> Values | None:
    """What the running service of this home answers; None if there is none that would.

    Its own refusal of the question is raised: this process would refuse it as well.

    Raises:
        SemsearchError: the service refused the question.
    """
    from app.cli.output import say
    from app.client.connection import NoAnswerError, NoKeyError
    from app.running import running

    found = running(settings.home)
    if found is None:
        return None
    key = settings.server_key.get_secret_value() if settings.server_key else None
    try:
        return from_service(asked, found.url, key)
    except NoAnswerError:
        return None
    except NoKeyError as error:
        say(f"Searching without the running service, which refused: {error}")
        return None


def found_here(asked: Asked, settings: Settings, screen: "Screen") -> Values:
    """What this process finds.

    Raises:
        SemsearchError: see `SearchService.search`.
    """
    from app.search.collections import Collections
    from app.search.models import Models
    from app.search.rerankers import Rerankers
    from app.search.service import SearchService

    query = _query(asked)
    opened = Collections(settings)
    try:
        models = Models(settings, screen.on_download, screen.note)
        rerankers = Rerankers(settings, screen.on_download, screen.note)
        service = SearchService(models.embedder_of, models.admit, reranking=rerankers.get)
        answer = service.search(query, {name: opened.get(name) for name in asked.collections})
    finally:
        opened.close()
    return answer.to_dict()


def _query(asked: Asked) -> Any:
    from app.search.query import Mode, Query
    from indexer.errors import UsageError

    options = dict(asked.options)
    mode, budget_ms = options.pop("mode"), options.pop("budget_ms")
    if mode not in set(Mode):
        raise UsageError(f"--mode {mode}: there are {', '.join(Mode)}.")
    budget_s = None if budget_ms is None else budget_ms / 1000
    return Query(asked.query, Mode(mode), budget_s=budget_s, **options)
