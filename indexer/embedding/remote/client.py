"""One endpoint: texts out, checked vectors back, every failure a `Fault`.

Redirects are never followed, and a service on this machine is never asked through a proxy; other
hosts are reached as the environment's proxy variables say, like any program.
"""

import ipaddress
import json
import ssl
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from indexer.embedding.remote.address import address_of
from indexer.embedding.remote.body import MAX_ERROR_BYTES, cap_bytes, parse_json, read_body
from indexer.embedding.remote.faults import EndpointFault, Fault, MomentFault, cleaned
from indexer.embedding.remote.openai import OpenAIFormat
from indexer.embedding.remote.status import fault_of
from indexer.embedding.remote.tei import TeiFormat
from indexer.embedding.remote.wire import WireFormat
from indexer.embedding.wishes import Endpoint, EndpointApi
from indexer.types import Vectors

_CONNECT_TIMEOUT_S = 10.0
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
        self._key = endpoint.key
        self._dimension = dimension
        self._timeout_s = endpoint.timeout_s
        self._wire: WireFormat = (
            TeiFormat() if self._address.api is EndpointApi.TEI else OpenAIFormat(self._model)
        )
        self._has_answered = False
        # identity: an answer packed small could unpack to any size.
        headers = {"User-Agent": "semsearch", "Accept-Encoding": "identity"}
        if endpoint.key:
            headers["Authorization"] = f"Bearer {endpoint.key}"
        self._http = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(
                endpoint.timeout_s, connect=min(_CONNECT_TIMEOUT_S, endpoint.timeout_s)
            ),
            limits=httpx.Limits(max_connections=endpoint.concurrency + 1),
            follow_redirects=False,
            trust_env=not _is_here(self._address.host),
        )
        # A model stays loaded as long as the process; its connections are closed all the same.
        self._close = weakref.finalize(self, self._http.close)

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
            if self._key:
                fault.hide(self._key)
            raise

    def _embed(self, texts: Sequence[str]) -> Vectors:
        request = self._wire.request(texts)
        cap = cap_bytes(len(texts), self._dimension)
        response, body = self._post(request, cap)
        if response.is_error and self._wire.asks_otherwise(request, response.status_code):
            response, body = self._post(self._wire.request(texts), cap)
        if not response.is_success:
            raise fault_of(response, body, self._key, self._offered)
        return self._wire.vectors(parse_json(response, body), len(texts), self._dimension)

    def _post(self, request: Mapping[str, Any], max_bytes: int) -> tuple[httpx.Response, bytes]:
        # "replace": the model's name comes from the environment and may hold surrogates.
        content = json.dumps(request, ensure_ascii=False).encode("utf-8", "replace")
        return self._send("POST", self._address.url, max_bytes, self._timeout_s, content=content)

    def _send(
        self,
        method: str,
        url: str,
        max_bytes: int,
        timeout_s: float,
        content: bytes | None = None,
    ) -> tuple[httpx.Response, bytes]:
        """(answer, its body), the body of a failure only up to what a message needs."""
        until = time.monotonic() + timeout_s
        headers = {"Content-Type": "application/json"} if content is not None else {}
        try:
            with self._http.stream(method, url, content=content, headers=headers) as response:
                limit = max_bytes if response.is_success else MAX_ERROR_BYTES
                body = read_body(response, limit, until)
        except httpx.TransportError as error:
            raise self._fault_of_transport(error) from error
        self._has_answered = True
        return response, body

    def _fault_of_transport(self, error: httpx.TransportError) -> Fault:
        """Nothing whole came back."""
        words = cleaned(str(error), self._key) or type(error).__name__
        if _is_tls(error):
            return EndpointFault(
                f"no secure connection ({words}). Check its certificate, and whether it speaks "
                "https at all"
            )
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) and not self._has_answered:
            # Waiting helps against a restart, not against a wrong address.
            return EndpointFault(f"out of reach ({words}). Start the server, or check the address")
        if isinstance(error, httpx.ProxyError | httpx.UnsupportedProtocol):
            return EndpointFault(f"out of reach ({words})")
        if isinstance(error, httpx.TimeoutException):
            return MomentFault(f"no answer within {self._timeout_s:g} s")
        return MomentFault(f"the connection broke ({words})")

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
            response, body = self._send(
                "GET", self._address.models_url, MAX_ERROR_BYTES, _LIST_TIMEOUT_S
            )
            values = parse_json(response, body) if response.is_success else None
        except Fault:
            return []
        items = values.get("data") if isinstance(values, dict) else None
        ids = [item.get("id") for item in items or () if isinstance(item, dict)]
        names = [cleaned(name, self._key)[:100] for name in ids if isinstance(name, str)]
        return names[:_MAX_LISTED]

    def close(self) -> None:
        """Close the connections."""
        self._close()


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_tls(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
