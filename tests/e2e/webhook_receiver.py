"""A receiver of webhooks that keeps what it was told, and answers as it is told to."""

from __future__ import annotations

from typing import Any, Callable

from work_backend import Call, WorkBackend

SECRET = "a-secret-for-the-tests-of-webhooks-0123456789"
OTHER_SECRET = "another-secret-for-the-tests-of-webhooks-98765"
TAKEN = (204, b"")


class WebhookReceiver(WorkBackend):
    """As WorkBackend: `answer(call)` gives (status, JSON or bytes[, headers]), or None: break the connection off."""

    def __init__(self, answer: Callable[[Call], Any] = lambda call: TAKEN):
        super().__init__(answer)

    @property
    def url(self) -> str:
        return f"http://{self.address}/hook"

    def told(self) -> dict[str, list[Call]]:
        """By request, what was answered 2xx or not."""
        by_request: dict[str, list[Call]] = {}
        for call in list(self.calls):
            by_request.setdefault(call.body["requestId"], []).append(call)
        return by_request
