"""An OpenID issuer over real HTTP: discovery, a key set that can be rotated, and tokens, good and bad."""

from __future__ import annotations

import base64
import collections
import http.server
import json
import ssl
import threading
import time
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

AUDIENCE = "spillway"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A private key of one algorithm."""

    def __init__(self, kid: str, algorithm: str):
        self.kid, self.algorithm = kid, algorithm
        self.private: Any = {
            "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
        }[algorithm]()

    def sign(self, data: bytes) -> bytes:
        if self.algorithm == "RS256":
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if self.algorithm == "ES256":
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return self.private.sign(data)

    def jwk(self) -> dict[str, str]:
        common = {"kid": self.kid, "use": "sig", "alg": self.algorithm}
        public = self.private.public_key()
        if self.algorithm == "RS256":
            numbers = public.public_numbers()
            return {**common, "kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        if self.algorithm == "ES256":
            numbers = public.public_numbers()
            return {**common, "kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        return {**common, "kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}


class Issuer:
    """Serves on a port of its own, which it keeps when it is stopped and started again."""

    def __init__(self, *keys: Key, tls: ssl.SSLContext | None = None, path: str = "/realms/test"):
        self.keys = {key.kid: key for key in keys}
        self.published = list(self.keys)
        self.asked: collections.Counter[str] = collections.Counter()
        self.discovery: dict[str, Any] = {}  # members to be told otherwise
        self.tls, self.path = tls, path
        self.port = 0
        self._server: http.server.ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{self.path}"

    def start(self) -> "Issuer":
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                issuer.asked[self.path] += 1
                document = issuer.document(self.path)
                body = json.dumps(document).encode()
                self.send_response(404 if document is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def document(self, path: str) -> Any:
        if path == f"{self.path}/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys?of=all", "response_types_supported": ["code"],
                    **self.discovery}
        if path == f"{self.path}/keys?of=all":
            return {"keys": [self.keys[kid].jwk() for kid in self.published]}
        return None

    @property
    def key_fetches(self) -> int:
        return self.asked[f"{self.path}/keys?of=all"]

    def claims(self, subject: str, **more: Any) -> dict[str, Any]:
        """Of a good token; None takes one out. A minute old, so that sign-outs and clocks are nobody's concern."""
        now = int(time.time())
        claims = {"iss": self.url, "sub": subject, "aud": AUDIENCE, "iat": now - 60, "nbf": now - 60, "exp": now + 600,
                  "jti": b64(threading.get_ident().to_bytes(8, "big")), **more}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, subject: str, kid: str | None = None, header: dict[str, Any] | None = None, **more: Any) -> str:
        key = self.keys[kid or self.published[0]]
        return make_token(key, {"alg": key.algorithm, "typ": "at+jwt", "kid": key.kid, **(header or {})},
                          self.claims(subject, **more))


def make_token(key: Key, header: dict[str, Any], claims: dict[str, Any] | str) -> str:
    text = claims if isinstance(claims, str) else json.dumps(claims)
    head = {name: value for name, value in header.items() if value is not None}
    signed = f"{b64(json.dumps(head).encode())}.{b64(text.encode())}"
    return f"{signed}.{b64(key.sign(signed.encode()))}"
