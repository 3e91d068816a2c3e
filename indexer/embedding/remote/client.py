"""One endpoint: texts out, checked vectors back, every failure a `Fault`."""

from collections.abc import Sequence

from indexer.embedding.remote.address import address_of
from indexer.embedding.remote.body import cap_bytes, parse_json
from indexer.embedding.remote.connection import Connection
from indexer.embedding.remote.faults import Fault, cleaned
from indexer.embedding.remote.openai import OpenAIFormat
from indexer.embedding.remote.status import fault_of
from indexer.embedding.remote.tei import TeiFormat
from indexer.embedding.remote.wire import WireFormat
from indexer.embedding.wishes import Endpoint, EndpointApi
from indexer.types import Vectors

_LIST_TIMEOUT_S = 5.0
_MAX_LISTED = 10


class EndpointClient:
    """A connection to one endpoint. Threads may share it.

    Args:
        endpoint: where it is and how it is asked.
        model: its name for the model where the endpoint gives none.
        dimension: values of the model's whole vectors.

    Raises:
        UsageError: the endpoint's address or key cannot be used.
    """

    def __init__(self, endpoint: Endpoint, model: str, dimension: int) -> None:
        self._address = address_of(endpoint)
        self._model = endpoint.model or model
        self._endpoint = endpoint
        self._dimension = dimension
        self._wire: WireFormat = (
            TeiFormat() if self._address.api is EndpointApi.TEI else OpenAIFormat(self._model)
        )
        self._connection = Connection(endpoint, self._address.host)

    @property
    def url(self) -> str:
        """Where texts are posted; for messages."""
        return self._address.url

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The endpoint's vectors of these texts, at the model's whole dimension.

        Returns:
            float32, shape (n, dimension), finite, no row zero, in the order of the texts; not
            normalised.

        Raises:
            Fault: none of that came.
        """
        try:
            return self._embed(texts)
        except Fault as fault:
            if self._endpoint.key:
                fault.hide(self._endpoint.key)
            raise

    def _embed(self, texts: Sequence[str]) -> Vectors:
        request = self._wire.request(texts)
        cap = cap_bytes(len(texts), self._dimension)
        response, body = self._connection.post(self.url, request, cap)
        if response.is_error and self._wire.asks_otherwise(request, response.status_code):
            response, body = self._connection.post(self.url, self._wire.request(texts), cap)
        if not response.is_success:
            raise fault_of(response, body, self._endpoint, self._offered)
        return self._wire.vectors(parse_json(response, body), len(texts), self._dimension)

    def _offered(self) -> str:
        """What to do about a 404, from the server's own list of models if it has one."""
        names = self._listed()
        if names and self._model not in names:
            return (
                f"It does not serve {self._model!r}; it offers {', '.join(names)}. If one of these "
                "is the same model, name it as SEMSEARCH_ENDPOINT_MODEL"
            )
        return "Check the path: give the base URL, for example http://127.0.0.1:30000/v1"

    def _listed(self) -> list[str]:
        if self._address.models_url is None:
            return []
        try:
            response, body = self._connection.get(self._address.models_url, _LIST_TIMEOUT_S)
            values = parse_json(response, body) if response.is_success else None
        except Fault:
            return []
        items = values.get("data") if isinstance(values, dict) else None
        ids = [item.get("id") for item in items or () if isinstance(item, dict)]
        names = [cleaned(name, self._endpoint.key)[:100] for name in ids if isinstance(name, str)]
        return names[:_MAX_LISTED]

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
