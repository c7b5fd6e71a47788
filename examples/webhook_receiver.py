#!/usr/bin/env python3
"""A receiver of Spillway's webhooks, with nothing but the standard library: docs/webhooks.md explains it.

    SPILLWAY_WEBHOOK_SECRET=... examples/webhook_receiver.py --listen 127.0.0.1:9001

It believes only signed calls of the last five minutes, takes each delivery once however often it comes, and keeps the newest
final state of each request. A real one keeps `seen` and `states` in its database, in one transaction.
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


class Receiver:
    """Remembers how each request ended."""

    def __init__(self, secret: bytes):
        self.secret = secret
        self.seen: set[str] = set()  # by Idempotency-Key
        self.states: dict[str, dict] = {}  # by requestId
        self._lock = threading.Lock()

    def take(self, key: str, told: dict) -> bool:
        """False: it was here before."""
        with self._lock:
            if key in self.seen:
                return False
            self.seen.add(key)
            known = self.states.get(told["requestId"])
            # After a redrive a request has another end, and an older one may come late.
            if known is None or known["finishedAt"] <= told["finishedAt"]:
                self.states[told["requestId"]] = told
            return True


def handler_of(receiver: Receiver):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > MAX_BODY_BYTES:
                self.close_connection = True
                return self.answer(413)
            body = self.rfile.read(int(length))
            if not is_from_spillway(receiver.secret, self.headers, body, time.time()):
                return self.answer(401)
            try:
                told = json.loads(body)
                new = receiver.take(self.headers["Idempotency-Key"], told)
            except (ValueError, KeyError, TypeError):
                return self.answer(400)
            if new:
                print(f"{told['requestId']} {told['userId']} {told['status']} {told['resultCode']}", flush=True)
            return self.answer(204)  # only now: what is answered 2xx is not told again

        def answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    return Handler


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--listen", default="127.0.0.1:9001", metavar="HOST:PORT")
    given = options.parse_args()
    secret = os.environ.get("SPILLWAY_WEBHOOK_SECRET", "").encode()
    if len(secret) < 32:
        print("SPILLWAY_WEBHOOK_SECRET: 32 characters or more", file=sys.stderr)
        return 2
    host, _, port = given.listen.rpartition(":")
    server = http.server.ThreadingHTTPServer((host, int(port)), handler_of(Receiver(secret)))
    print(f"ready http://{host}:{server.server_port}", flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
