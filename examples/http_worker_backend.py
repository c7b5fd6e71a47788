#!/usr/bin/env python3
"""A backend for Spillway's http worker, with nothing but the standard library: docs/http-worker.md explains it.

    SPILLWAY_WORK_SECRET=... examples/http_worker_backend.py --listen 127.0.0.1:9000 [--reject NAME ...]

It believes only signed calls of the last five minutes, does the work of a request once however often it is called
about it, and remembers what it answered. A real one keeps `answers` in its database, in the transaction of its work.
"""

import argparse
import hashlib
import hmac
import http.server
import json
import os
import sys
import threading
import time

TOLERANCE_S = 300
MAX_BODY_BYTES = 64 * 1024


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def is_from_spillway(secret: bytes, headers, body: bytes, now: float) -> bool:
    timestamp = headers.get("Spillway-Timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit() or abs(now - int(timestamp)) > TOLERANCE_S:
        return False  # made up, or recorded and played again
    given = headers.get("Spillway-Signature", "")
    return hmac.compare_digest(given.encode(), signature(secret, timestamp, body).encode())


class Backend:
    """Sends everybody a badge, except those it was told not to."""

    def __init__(self, secret: bytes, rejected: set[str]):
        self.secret = secret
        self.rejected = rejected
        self.answers: dict[str, dict] = {}  # by Idempotency-Key
        self.badges: list[str] = []
        self._lock = threading.Lock()

    def work(self, key: str, order: dict) -> dict:
        with self._lock:
            if key not in self.answers:
                self.answers[key] = self._decide(order)
            return self.answers[key]

    def _decide(self, order: dict) -> dict:
        if order["userId"] in self.rejected:
            return {"result": "REJECTED", "resultCode": "NOT_ELIGIBLE", "reason": "not on our list"}
        self.badges.append(order["userId"])
        return {"result": "SUCCEEDED"}


def handler_of(backend: Backend):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            size = self.headers.get("Content-Length", "")
            if not size.isdigit() or int(size) > MAX_BODY_BYTES:
                self.close_connection = True
                return self.answer(413, {"error": "a body of at most 64 KiB, with its length"})
            body = self.rfile.read(int(size))
            if not is_from_spillway(backend.secret, self.headers, body, time.time()):
                return self.answer(401, {"error": "not signed by who may call"})
            key = self.headers.get("Idempotency-Key", "")
            order = json.loads(body)
            if key != order["requestId"]:
                return self.answer(400, {"error": "Idempotency-Key is not the requestId"})
            self.answer(200, backend.work(key, order))

        def answer(self, status: int, reply: dict):
            body = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, form, *values):
            print(f"{self.headers.get('traceparent', '-')} {form % values}", file=sys.stderr)

    return Handler


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--listen", default="127.0.0.1:9000", metavar="HOST:PORT", help="port 0: any free one")
    parser.add_argument("--reject", action="append", default=[], metavar="USER", help="who gets no badge")
    given = parser.parse_args()
    secret = os.environ.get("SPILLWAY_WORK_SECRET", "")
    if len(secret) < 32:
        print("SPILLWAY_WORK_SECRET must have 32 characters or more", file=sys.stderr)
        return 2
    host, _, port = given.listen.rpartition(":")
    backend = Backend(secret.encode(), set(given.reject))
    server = http.server.ThreadingHTTPServer((host, int(port)), handler_of(backend))
    print(f"ready http://{host}:{server.server_port}", flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
