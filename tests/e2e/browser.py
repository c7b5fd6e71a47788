"""A browser without script: forms, cookies, redirects and nothing else."""

from __future__ import annotations

import html
import http.cookies
import re
import urllib.parse

FORM = "application/x-www-form-urlencoded"


class FormBrowser:
    """Keeps cookies, each for its path; follows a redirect after a form; knows what is on the page."""

    HEADLINE = r'<(h[12]) id="headline"[^>]*>(.*?)</\1>'

    def __init__(self, server, language="en"):
        self.http = server.http()
        self.language = language
        self.cookies = {}  # by (name, path)
        self.page = ""
        self.answer = None

    def cookie_header(self, path):
        path = path.split("?")[0]
        sent = [(len(where), f"{name}={cookie.value}") for (name, where), cookie in self.cookies.items()
                if path == where or path.startswith(where.rstrip("/") + "/")]
        # The more of the path, the earlier (RFC 6265, 5.4).
        return "; ".join(["other=1", *(text for _, text in sorted(sent, key=lambda one: -one[0]))])

    def send(self, method, path, **more):
        headers = {"Accept-Language": self.language, "Cookie": self.cookie_header(path), **more.pop("headers", {})}
        self.answer = self.http.request(method, path, headers=headers, **more)
        self.page = self.answer.body.decode("utf-8")
        for line in self.answer.all("set-cookie"):
            for cookie in http.cookies.SimpleCookie(line).values():
                key = (cookie.key, cookie["path"])
                if cookie["max-age"] == "0":
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = cookie
        return self.answer

    def get(self, path, status=200, **more):
        assert self.send("GET", path, **more).status == status, self.answer
        return self.page

    def post(self, path, status=303, follow=True, headers=None, **fields):
        body = urllib.parse.urlencode(fields).encode()
        assert self.send("POST", path, body=body, content_type=FORM, headers=headers or {}).status == status, self.answer
        if status == 303 and follow:
            assert self.answer.headers["cache-control"] == "no-store"
            return self.get(self.answer.headers["location"])
        return self.page

    @property
    def headline(self):
        return html.unescape(re.search(self.HEADLINE, self.page)[2])

    @property
    def refreshes(self):
        return re.search(r'http-equiv="refresh" content="(\d+)', self.page) is not None


def assert_protected(browser):
    """The page that was just answered runs no script but ours, and stands in no frame."""
    headers = browser.answer.headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "form-action 'self'" in policy
    assert "unsafe" not in policy and "*" not in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store" and "cookie" in headers["vary"].lower()
    assert headers["referrer-policy"] == "same-origin"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", browser.page)


# As other sites would send a form.
FROM_ELSEWHERE = [
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://shop.spillway.test"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "https://spillway.test.evil.example"},
    {"Origin": "null"},
]
