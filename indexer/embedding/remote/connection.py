"""A connection to one server: JSON out, the bytes of its answer back, every failure a `Fault`.

Redirects are never followed, and a service on this machine is never asked through a proxy; other
hosts are reached as the environment's proxy variables say, like any program.
"""

import ipaddress
import json
import ssl
import time
import weakref
from collections.abc import Mapping
from typing import Any

import httpx

from indexer.embedding.remote.body import MAX_ERROR_BYTES, read_body
from indexer.embedding.remote.faults import EndpointFault, Fault, MomentFault, cleaned
from indexer.embedding.wishes import Endpoint

_CONNECT_TIMEOUT_S = 10.0


class Connection:
    """Connections to the server of one endpoint. Threads may share it.

    Args:
        endpoint: its key, time limit and concurrency.
        host: where it is; its addresses are given with each request.
    """

    def __init__(self, endpoint: Endpoint, host: str) -> None:
        self._key = endpoint.key
        self._timeout_s = endpoint.timeout_s
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
            trust_env=not _is_here(host),
        )
        # A model stays loaded as long as the process; its connections are closed all the same.
        self._close = weakref.finalize(self, self._http.close)

    def post(
        self, url: str, request: Mapping[str, Any], max_bytes: int
    ) -> tuple[httpx.Response, bytes]:
        """(answer, its body), whatever the status; see `read_body` for what is refused.

        Raises:
            Fault: nothing whole came back.
        """
        # "replace": the model's name comes from the environment and may hold surrogates.
        content = json.dumps(request, ensure_ascii=False).encode("utf-8", "replace")
        return self._send("POST", url, max_bytes, self._timeout_s, content)

    def get(self, url: str, timeout_s: float) -> tuple[httpx.Response, bytes]:
        """(answer, its short body); see `post`."""
        return self._send("GET", url, MAX_ERROR_BYTES, timeout_s)

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
