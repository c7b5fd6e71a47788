"""`spillway load run` against servers that are not ours: TLS, other ways to write HTTP, and none at all."""

import pytest

from load_lab import NO_ADMIN, NO_RUN, PLACES, THRESHOLDS, Counted, Run, arrivals, entries, plan_of

# ---- TLS --------------------------------------------------------------------------------------------------------


def test_https(make_server, certificate, tmp_path):
    cert, key = certificate
    with make_server("--tls-cert", cert, "--tls-key", key) as server:
        assert server.url.startswith("https://")
        plan = plan_of("queue-entry", arrivals(50, "1s"), {**PLACES, "concert": "secret"})
        run = Run(tmp_path / "ca", plan, "--ca-file", cert, url=server.url).passed()
        assert run.count("iterations") == 50
        assert run.values("http_req_tls_handshaking")["max"] > 0
        run = Run(tmp_path / "insecure", plan, "--insecure", url=server.url).passed()
        run = Run(tmp_path / "refused", plan, url=server.url).expect(NO_RUN)
        assert "certificate" in run.stderr, run
        run = Run(tmp_path / "no-ca", plan, "--ca-file", key, url=server.url).expect(NO_RUN)
        assert "--ca-file" in run.stderr and key in run.stderr, run


# ---- Other people's servers ---------------------------------------------------------------------------------------


class Chunked(Counted):
    def answer(self):
        place = self.PLACE
        parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (place[:7], place[7:]))
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n"


class InPieces(Counted):
    """An answer whose every byte comes alone."""

    async def talk(self, reader, writer):
        while await self.asked(reader):
            for byte in self.answer():
                writer.write(bytes([byte]))
                await writer.drain()


class Closing(Counted):
    """One answer a connection."""

    async def talk(self, reader, writer):
        if await self.asked(reader):
            writer.write(self.answer().replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))
            await writer.drain()


class Continuing(Counted):
    """An interim answer before each."""

    def answer(self):
        return b"HTTP/1.1 100 Continue\r\n\r\n" + super().answer()


@pytest.mark.parametrize("kind", [Chunked, InPieces, Closing, Continuing])
def test_answers_of_other_servers(kind, tmp_path):
    with kind() as server:
        run = Run(tmp_path, entries(thresholds={"http_req_failed": ["rate==0"], "queue_entry_success": ["rate==1"]}),
                  *NO_ADMIN, url=server.url).expect(0)
    assert run.count("http_reqs") == run.count("iterations") == 50
    assert run.values("queue_entry_success")["passes"] == 50


class Garbage(Counted):
    def answer(self):
        return b"\x00\x16\x03 this is none of HTTP's\r\n\r\n" * 3


class NoJson(Counted):
    def answer(self):
        return b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"data\":[\x00"[:-1] + b"["


class Short(Counted):
    """Promises more than it sends, and goes."""

    async def talk(self, reader, writer):
        if await self.asked(reader):
            writer.write(self.answer()[:-5])
            await writer.drain()


class Gone(Counted):
    async def talk(self, reader, writer):
        await self.asked(reader)


class Silent(Counted):
    async def talk(self, reader, writer):
        while await self.asked(reader):
            pass


class Refusing(Counted):
    def answer(self):
        return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("kind, status", [(Garbage, "0"), (Short, "0"), (Gone, "0"), (Silent, "0"), (Refusing, "503")])
def test_what_is_no_answer_is_counted_as_failed(kind, status, tmp_path):
    """Every request once, by its status, and the run ends as it should."""
    plan = entries(timeout="500ms", thresholds={"http_req_failed": ["rate<0.01"],
                                                f"http_reqs{{status:{status}}}": ["count==50"]})
    with kind() as server:
        run = Run(tmp_path, plan, *NO_ADMIN, url=server.url).expect(THRESHOLDS)
    assert run.values("http_req_failed") == {"rate": 1, "passes": 50, "fails": 0}
    assert run.count(f"http_reqs{{status:{status}}}") == run.count("iterations") == 50
    assert run.values("queue_entry_success")["passes"] == 0
    assert run.ours["verdict"] == "FAIL" and run.ours["self"]["socket_errors"] == 0


def test_an_answer_that_makes_no_sense_is_no_success(tmp_path):
    with NoJson() as server:
        run = Run(tmp_path, entries(), *NO_ADMIN, url=server.url).expect(0)
    assert run.values("http_req_failed")["rate"] == 0, "HTTP it was"
    assert run.values("queue_entry_success") == {"rate": 0, "passes": 0, "fails": 50}
