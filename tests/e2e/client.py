"""An HTTP/1.1 client over raw sockets: small, cheap (tens of microseconds a request), and able to say what a decent
client library refuses to say. One parser, two transports:

Http        blocking; one connection; requests may be sent ahead and received later (pipelining, held answers)
Connection  asyncio; keep-alive and pipelining; for load
"""

from __future__ import annotations

import asyncio
import collections
import json
import select
import socket
import ssl
import struct
from typing import Any, Iterator

# A guard against a test that hangs for ever, not something that is measured: far above any time a server may take.
HANG_GUARD_S = 90.0


class ConnectionLost(Exception):
    """The connection ended before the answer was complete: what became of the request is not known."""


class Response:
    __slots__ = ("status", "head", "body", "_headers")

    def __init__(self, status: int, head: bytes, body: bytes):
        self.status = status
        self.head = head
        self.body = body
        self._headers: dict[str, str] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case. A field that came twice is joined with ", "."""
        if self._headers is None:
            found: dict[str, str] = {}
            for line in self.head.split(b"\r\n")[1:]:
                name, colon, value = line.partition(b":")
                if not colon:
                    raise ValueError(f"not a header field: {line!r}")
                key, text = name.decode("latin-1").lower(), value.strip().decode("latin-1")
                found[key] = f"{found[key]}, {text}" if key in found else text
            self._headers = found
        return self._headers

    def all(self, name: str) -> list[str]:
        """The values of a field that may come several times and cannot be joined, as Set-Cookie."""
        lines = [line.partition(b":") for line in self.head.split(b"\r\n")[1:]]
        return [value.strip().decode("latin-1") for key, _, value in lines if key.decode("latin-1").lower() == name]

    def json(self) -> Any:
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<{self.status} {self.head!r} {self.body[:500]!r}>"


def build_request(method: str, target: str, *, host: str = "spillway.test", token: str | None = None,
                  body: bytes | None = None, content_type: str | None = "application/json",
                  headers: dict[str, str] | None = None) -> bytes:
    lines = [f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}\r\n")
    if headers:
        lines.extend(f"{name}: {value}\r\n" for name, value in headers.items())
    if body is not None:
        if content_type is not None:
            lines.append(f"Content-Type: {content_type}\r\n")
        lines.append(f"Content-Length: {len(body)}\r\n")
    elif method in ("POST", "PUT", "PATCH"):
        lines.append("Content-Length: 0\r\n")
    lines.append("\r\n")
    raw = "".join(lines).encode("latin-1")
    return raw + body if body else raw


class Parser:
    """Takes bytes, gives responses. Strict enough to notice a reply that was cut or run together."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def rest(self) -> bytes:
        return bytes(self._buffer)

    def next(self, no_body: bool = False, ended: bool = False) -> Response | None:
        """The next whole response. no_body: it answers HEAD. ended: the peer has closed its side."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(buffer[:end])
        if not head.startswith(b"HTTP/1.1 "):
            raise ValueError(f"not a response: {head[:80]!r}")
        status = int(head[9:12])
        start = end + 4
        lower = head.lower()
        if no_body or status in (204, 304) or status < 200:
            stop = start
            body = b""
        elif b"\r\ntransfer-encoding: chunked" in lower:
            whole = self._chunked(start)
            if whole is None:
                return None
            body, stop = whole
        else:
            at = lower.find(b"\r\ncontent-length:")
            if at >= 0:
                eol = lower.find(b"\r\n", at + 17)
                length = int(lower[at + 17:eol if eol >= 0 else len(lower)])
                stop = start + length
                if len(buffer) < stop:
                    return None
            elif ended:
                stop = len(buffer)
            else:
                return None
            body = bytes(buffer[start:stop])
        del buffer[:stop]
        if 100 <= status < 200:
            return self.next(no_body, ended)
        return Response(status, head, body)

    def _chunked(self, at: int) -> tuple[bytes, int] | None:
        parts = []
        while True:
            eol = self._buffer.find(b"\r\n", at)
            if eol < 0:
                return None
            size = int(self._buffer[at:eol].split(b";")[0], 16)
            at = eol + 2
            if len(self._buffer) < at + size + 2:
                return None
            if size == 0:
                return b"".join(parts), at + 2
            parts.append(bytes(self._buffer[at:at + size]))
            at += size + 2


class Http:
    """One blocking connection, opened when first needed and again after the server closed it."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None):
        self.host, self.port, self.tls = host, port, tls
        self._socket: socket.socket | None = None
        self._parser = Parser()
        self._expected: collections.deque[bool] = collections.deque()  # for each answer to come: no body?

    def __enter__(self) -> "Http":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._parser = Parser()
        self._expected.clear()

    def reset(self) -> None:
        """Goes away with a reset instead of an orderly end, as a process does that is killed or a cable that is cut."""
        assert self._socket is not None
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), timeout=HANG_GUARD_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = self.tls.wrap_socket(plain, server_hostname=self.host) if self.tls else plain

    def expect(self, answers: int, no_body: bool = False) -> None:
        """So many more calls of receive() will follow."""
        self._expected.extend([no_body] * answers)

    def send_raw(self, raw: bytes, answers: int = 1, no_body: bool = False) -> None:
        """Sends bytes as they are; `answers` responses are expected for them."""
        if self._socket is None:
            self.connect()
        assert self._socket is not None
        self.expect(answers, no_body)
        try:
            self._socket.sendall(raw)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server answered and closed before it had read everything: its answer is still there to read

    def send(self, method: str, target: str, **more: Any) -> None:
        self.send_raw(build_request(method, target, **_with_json(more)), no_body=method == "HEAD")

    def receive(self) -> Response:
        """The answer to the oldest request not yet answered."""
        assert self._socket is not None and self._expected, "nothing was sent"
        no_body = self._expected.popleft()
        response = self._parser.next(no_body)
        while response is None:
            data = self._recv()
            if not data:
                response = self._parser.next(no_body, ended=True)
                rest = self._parser.rest()
                self.close()
                if response is None:
                    raise ConnectionLost(f"closed after {rest!r}")
                return response
            self._parser.feed(data)
            response = self._parser.next(no_body)
        if response.headers.get("connection", "").lower() == "close" and not self._expected:
            self.close()
        return response

    def _recv(self) -> bytes:
        assert self._socket is not None
        try:
            return self._socket.recv(256 * 1024)
        except (ConnectionResetError, ssl.SSLEOFError):
            return b""

    def answered(self) -> bool:
        """True when something has arrived that receive() would look at. Does not wait."""
        assert self._socket is not None
        return bool(self._parser.rest()) or bool(select.select([self._socket], [], [], 0)[0])

    def read_some(self) -> bytes:
        """Bytes as they come, past the parser; empty when the server has closed."""
        return self._recv()

    def read_to_end(self) -> bytes:
        """All bytes until the server closes."""
        return b"".join(iter(self._recv, b""))

    def closed_by_server(self) -> bool:
        """Waits until the server closes; False when it sends something instead."""
        if self._socket is None:
            return True
        return self._recv() == b""

    def request(self, method: str, target: str, **more: Any) -> Response:
        """json=value or body=bytes, token=, content_type=, headers=."""
        reused = self._socket is not None
        self.send(method, target, **more)
        try:
            return self.receive()
        except ConnectionLost:
            # An idle connection that the server closed in the meantime is no failure (RFC 9112, 9.3.1), for a
            # request that may be repeated.
            if not reused or method not in ("GET", "HEAD", "PUT", "OPTIONS"):
                raise
        self.close()
        self.send(method, target, **more)
        return self.receive()

    def get(self, target: str, **more: Any) -> Response:
        return self.request("GET", target, **more)

    def post(self, target: str, **more: Any) -> Response:
        return self.request("POST", target, **more)

    def put(self, target: str, **more: Any) -> Response:
        return self.request("PUT", target, **more)

    def stream(self, target: str, **more: Any) -> tuple[Response, Iterator[dict[str, str]]]:
        """Server-sent events: the head of the answer and the events until the server ends the stream. When the
        answer is something else the iterator is empty and the body is in the response."""
        self.close()
        self.send("GET", target, headers={"Accept": "text/event-stream", **more.pop("headers", {})}, **more)
        data = bytearray()
        while b"\r\n\r\n" not in data:
            got = self._recv()
            if not got:
                raise ConnectionLost(f"closed after {bytes(data)!r}")
            data += got
        head, _, rest = bytes(data).partition(b"\r\n\r\n")
        response = Response(int(head[9:12]), head, b"")
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            self._parser.feed(bytes(data))
            return self.receive(), iter(())
        return response, _events(self._body(rest, response.headers.get("transfer-encoding") == "chunked"))

    def _body(self, buffer: bytes, chunked: bool) -> Iterator[bytes]:
        """The pieces of a body as they arrive. A chunked one must end with its last chunk."""
        if not chunked:
            while buffer:
                yield buffer
                buffer = self._recv()
            return
        while True:
            line, eol, after = buffer.partition(b"\r\n")
            if eol:
                size = int(line.split(b";")[0], 16)
                if len(after) >= size + 2:
                    if size == 0:
                        return
                    yield after[:size]
                    buffer = after[size + 2:]
                    continue
            got = self._recv()
            if not got:
                raise ConnectionLost("the stream was cut, not ended")
            buffer += got


def _events(pieces: Iterator[bytes]) -> Iterator[dict[str, str]]:
    """HTML Living Standard, 9.2.6. Comments (pings) are left out."""
    buffer = b""
    event: dict[str, str] = {}
    for piece in pieces:
        buffer += piece
        while b"\n" in buffer:
            line, _, buffer = buffer.partition(b"\n")
            text = line.rstrip(b"\r").decode("utf-8")
            if text == "":
                if event:
                    yield event
                event = {}
            elif not text.startswith(":"):
                field, _, value = text.partition(":")
                value = value[1:] if value.startswith(" ") else value
                event[field] = f"{event[field]}\n{value}" if field in event else value


def _with_json(more: dict[str, Any]) -> dict[str, Any]:
    if "json" in more:
        value = more.pop("json")
        return {**more, "body": json.dumps(value, ensure_ascii=False).encode("utf-8")}
    return more


class HttpFrom(Http):
    """From another address of the loopback network: to the server, another host."""

    def __init__(self, server: Any, source: str):
        super().__init__(server.host, server.port)
        self.source = source

    def connect(self) -> None:
        self._socket = socket.create_connection((self.host, self.port), timeout=HANG_GUARD_S,
                                                source_address=(self.source, 0))


class Connection(asyncio.Protocol):
    """One keep-alive connection for load. Requests may be pipelined; answers come in order. When it ends, every
    answer still owed becomes ConnectionLost."""

    def __init__(self) -> None:
        self._parser = Parser()
        self._owed: collections.deque[asyncio.Future[Response]] = collections.deque()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.closed = False

    @classmethod
    async def open(cls, host: str, port: int) -> "Connection":
        _, protocol = await asyncio.get_running_loop().create_connection(cls, host, port)
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._parser.feed(data)
        while True:
            response = self._parser.next()
            if response is None:
                return
            if not self._owed:
                raise ValueError(f"an answer that nobody asked for: {response!r}")
            future = self._owed.popleft()
            if not future.done():
                future.set_result(response)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        owed, self._owed = self._owed, collections.deque()
        for future in owed:
            if not future.done():
                future.set_exception(ConnectionLost(str(exc or "closed")))
                future.exception()  # retrieved: a sender that has gone away is no error of the test

    def send(self, raw: bytes) -> "asyncio.Future[Response]":
        """The answer to come. Never raises: a connection that is gone gives ConnectionLost."""
        future: asyncio.Future[Response] = self._loop.create_future()
        if self.closed or self._transport is None or self._transport.is_closing():
            future.set_exception(ConnectionLost("closed before sending"))
            future.exception()
            return future
        self._owed.append(future)
        self._transport.write(raw)
        return future

    async def request(self, method: str, target: str, **more: Any) -> Response:
        return await asyncio.wait_for(self.send(build_request(method, target, **_with_json(more))), HANG_GUARD_S)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Pool:
    """Some connections to one server, used in turn."""

    def __init__(self, connections: list[Connection]):
        self.connections = connections
        self._next = 0

    @classmethod
    async def open(cls, host: str, port: int, size: int) -> "Pool":
        return cls(list(await asyncio.gather(*(Connection.open(host, port) for _ in range(size)))))

    def any(self) -> Connection:
        self._next = (self._next + 1) % len(self.connections)
        return self.connections[self._next]

    async def request(self, method: str, target: str, **more: Any) -> Response:
        return await self.any().request(method, target, **more)

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
