"""The network under the HTTP clients: a total deadline, small replies, no proxies, redirects or cookies.

Requests go to httpx' transports, not through its client: what the client adds (redirects, cookies, credentials of the
environment, defaults) is what we do not want, and takes a third of a request's time.
"""

import logging
import selectors
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpcore
import httpx

from worker.hidream.wire import Reply

#: Connections of one client: beyond it httpx' pool costs more than the requests.
MAX_CONNECTIONS = 32
#: An idle connection is dropped before usual servers drop it (5 s), so that a POST rarely meets a dying one.
KEEPALIVE_S = 4.0
MAX_REPLY_BYTES = 1_000_000
#: Sent with everything, so that nobody compresses; a compressed reply is refused anyway.
PLAIN = {"Accept-Encoding": "identity", "User-Agent": "vton-batch"}

_Option = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


def make_ssl_context() -> ssl.SSLContext:
    """Makes the one TLS context of a process (22 ms); SSL_CERT_FILE and SSL_CERT_DIR are heeded."""
    return httpx.create_ssl_context()


def quiet_http_logs() -> None:
    """Keeps addresses out of the logs: httpx tells whole ones at INFO, httpcore headers at DEBUG."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def make_request(
    method: str,
    url: str | httpx.URL,
    *,
    connect_s: float,
    headers: Mapping[str, str] | None = None,
    content: Iterable[bytes] | None = None,
) -> httpx.Request:
    """A request as it goes out: nothing is added to it but what HTTP itself asks for.

    Raises:
        httpx.InvalidURL: the address is none.
    """
    return httpx.Request(
        method,
        url,
        headers=PLAIN if headers is None else {**PLAIN, **headers},
        content=content,
        # Whole requests have deadlines of their own; only connecting has a shorter one.
        extensions={"timeout": {"connect": connect_s}},
    )


class Deadline:
    """The moment until which one whole request may last; set again for the next one."""

    def __init__(self) -> None:
        self._until = 0.0

    def start(self, seconds: float) -> None:
        """Begins a request that may last `seconds`."""
        self._until = time.monotonic() + seconds

    def left(self, wanted: float | None, error: type[Exception]) -> float:
        """Seconds a step may last: what is wanted, cut to what is left.

        Raises:
            error: nothing is left.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise error("the deadline is over")
        return left if wanted is None else min(left, wanted)


class DeadlineStream(httpcore.NetworkStream):
    """A socket whose every step is cut to the deadline; httpx' own time-outs begin anew with each byte."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Reads what is there, at most `max_bytes`."""
        try:
            self._sock.settimeout(self._deadline.left(timeout, httpcore.ReadTimeout))
            return self._sock.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Hands the whole buffer to the kernel; when it raises, the last byte was not handed over."""
        rest = memoryview(buffer)
        try:
            while rest:
                self._sock.settimeout(self._deadline.left(timeout, httpcore.WriteTimeout))
                rest = rest[self._sock.send(rest) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Closes the socket."""
        self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Shakes hands; the stream it returns takes this one's place."""
        try:
            self._sock.settimeout(self._deadline.left(timeout, httpcore.ConnectTimeout))
            secure = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname)
        except BaseException as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise httpcore.ConnectTimeout(str(error)) from error
            if isinstance(error, OSError):
                raise httpcore.ConnectError(str(error)) from error
            raise
        return DeadlineStream(secure, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Tells the pool whether an idle connection is readable: the server has hung up, or says what nobody asked."""
        return _readable(self._sock) if info == "is_readable" else None


def _readable(sock: socket.socket) -> bool:
    if sock.fileno() < 0 or (isinstance(sock, ssl.SSLSocket) and sock.pending()):
        return True
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        return bool(selector.select(0))


class DeadlineBackend(httpcore.NetworkBackend):
    """Connects within the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[_Option] | None = None,
    ) -> httpcore.NetworkStream:
        """Connects to the first address that answers; the time-out holds for each of them."""
        del local_address, socket_options
        try:
            left = self._deadline.left(timeout, httpcore.ConnectTimeout)
            sock = socket.create_connection((host, port), left)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return DeadlineStream(sock, self._deadline)


class DeadlineTransport(httpx.HTTPTransport):
    """One keep-alive connection that obeys a deadline; call `deadline.start` before each request."""

    def __init__(self, deadline: Deadline, ssl_context: ssl.SSLContext) -> None:
        quiet_http_logs()
        super().__init__(verify=ssl_context, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context,
            max_connections=1,
            max_keepalive_connections=1,
            keepalive_expiry=KEEPALIVE_S,
            network_backend=DeadlineBackend(deadline),
        )

    def drop(self) -> None:
        """Closes the connection; the next request gets a new one."""
        self._pool.close()


def has_surplus(transport: httpx.HTTPTransport) -> bool:
    """Whether an idle connection holds bytes that nobody asked for: they would answer the next request.

    httpcore closes such a connection only when they are still in the socket: not when they came together with the last
    reply, nor when they wait in TLS.
    """
    for connection in transport._pool.connections:  # noqa: SLF001 httpx shows neither pool nor connection
        inner: Any = getattr(connection, "_connection", None)
        if inner is None or not inner.is_idle():
            continue
        tls = inner._network_stream.get_extra_info("ssl_object")  # noqa: SLF001
        if inner._h11_state.trailing_data[0] or _waits_in_tls(tls):  # noqa: SLF001
            return True
    return False


def _waits_in_tls(tls: ssl.SSLObject | None) -> bool:
    """Takes a byte if there is one; it does not matter, since the connection is closed then."""
    if tls is None:
        return False
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except OSError:
        return True
    return True


def read_reply(response: httpx.Response, secret: str) -> Reply:
    """Reads a reply of at most 1 MB. A broken body becomes `Reply.fault`: its status still says something."""
    body = bytearray()
    fault = refuses(response.headers)
    try:
        if not fault:
            assert isinstance(response.stream, httpx.SyncByteStream)
            for part in response.stream:
                body += part
                if len(body) > MAX_REPLY_BYTES:
                    fault = "a reply of more than 1 MB"
                    break
    except httpx.TransportError as error:
        fault = f"the reply was cut off: {type(error).__name__}"
    finally:
        response.close()
    return make_reply(response.status_code, response.headers, b"" if fault else bytes(body), fault, secret)


def make_reply(status: int, headers: Mapping[str, str], body: bytes, fault: str, secret: str) -> Reply:
    """Takes from a response what the judgement needs."""
    return Reply(
        status=status,
        body=body,
        fault=fault,
        retry_after=headers.get("Retry-After"),
        date=headers.get("Date"),
        secret=secret,
    )


def refuses(headers: Mapping[str, str]) -> str:
    """Why a body is not even read (compressed, or too long by its own word); empty when it is."""
    if is_compressed(headers):
        return "a compressed reply"
    return f"a reply of more than {MAX_REPLY_BYTES:,} bytes" if says_more(headers, MAX_REPLY_BYTES) else ""


def is_compressed(headers: Mapping[str, str]) -> bool:
    """Whether a body is not sent as it is."""
    return headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}


def says_more(headers: Mapping[str, str], max_bytes: int) -> bool:
    """Whether a body is too long by its own word."""
    length = headers.get("Content-Length", "")
    return length.isdigit() and int(length) > max_bytes
