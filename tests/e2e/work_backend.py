"""A backend for the http worker that does as it is told: answers, hangs, redirects, fails."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import sys
import threading
import time
from typing import Any, Callable

from client import HANG_GUARD_S

SECRET = "a-secret-for-the-tests-of-the-worker-0123456789"
SUCCEEDED = (200, {"result": "SUCCEEDED"})


FAILED = (503, b"")
REFUSED = (422, b"")


class Call:
    def __init__(self, headers: Any, body: bytes):
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.raw = body
        self.body = json.loads(body)
        self.at = time.time()

    @property
    def user(self) -> str:
        return self.body["userId"]

    def is_signed(self, secret: str = SECRET) -> bool:
        stamp = self.headers["spillway-timestamp"]
        mac = hmac.new(secret.encode(), stamp.encode() + b"." + self.raw, hashlib.sha256).hexdigest()
        return hmac.compare_digest(self.headers["spillway-signature"], "v1=" + mac) and abs(self.at - int(stamp)) < 60


def _fnv1a(text: str) -> int:
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def fail_by_name(call: Call) -> Any:
    """As an answer: who fails, and how often, follows from the name and the event. With --max-receive-count 3, of 100 people
    about 20 fail once, 20 use up their tries and are healed by a redrive, 6 need two redrives, 4 are refused as invalid."""
    dice = _fnv1a(f"{call.user}@{call.body['eventId']}") % 100
    if dice < 4:
        return REFUSED
    failures = 6 if dice < 10 else 3 if dice < 30 else 1 if dice < 50 else 0
    return FAILED if call.body["attempt"] <= failures else SUCCEEDED


class WorkBackend:
    """`answer(call)` gives (status, JSON or bytes[, headers]), or None: break the connection off."""

    def __init__(self, answer: Callable[[Call], Any] = lambda call: SUCCEEDED):
        self.answer = answer
        self.calls: list[Call] = []
        self._changed = threading.Condition()
        self._released = threading.Event()
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                call = Call(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
                with backend._changed:
                    backend.calls.append(call)
                    backend._changed.notify_all()
                reply = backend.answer(call)
                if reply is None:
                    self.close_connection = True
                    return
                status, body, *more = reply
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                try:
                    self.send_response(status)
                    for name, value in (more[0] if more else {}).items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(raw)))
                    self.end_headers()
                    self.wfile.write(raw)
                except OSError:
                    self.close_connection = True  # who asked is gone

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        class HttpServer(http.server.ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                if not isinstance(sys.exc_info()[1], ConnectionError):  # who called was killed
                    super().handle_error(request, client_address)

        self._server = HttpServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def hang(self, call: Call) -> Any:
        """As an answer: none until release()."""
        self._released.wait(HANG_GUARD_S)
        return SUCCEEDED

    def release(self) -> None:
        self._released.set()

    def until(self, calls: int) -> list[Call]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.calls) >= calls, HANG_GUARD_S), self.calls
            return list(self.calls)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}/work"

    def arguments(self, *more: str) -> list[str]:
        """For `spillway serve`; the secret goes through the environment."""
        return ["--work-url", self.url, "--work-allow", self.address, *more]

    def arguments_to_fail_with(self) -> list[str]:
        """The same for work that fails often: no circuit opens, and after three tries a request is a dead letter."""
        return self.arguments("--work-breaker-failures", "100000", "--max-receive-count", "3")

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
