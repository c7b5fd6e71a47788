"""Calls of the load client, and what it needs: tokens and request ids."""

import json
import subprocess
import time

from .processes import CLIENT_CORE, SERVER_CORE, BenchError, core_or_first, pinned

TOKENS_GOOD_FOR_S = 20 * 60


class LoadClient:
    def __init__(self, program, directory):
        self.program = str(program)
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def run(self, words, timeout_s=600):
        command = [self.program, *map(str, words), "--core", str(core_or_first(CLIENT_CORE))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   preexec_fn=pinned(CLIENT_CORE))
        try:
            out, err = process.communicate(timeout=timeout_s)
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode != 0:
            raise BenchError(f"{' '.join(command)}: {err.strip()}")
        return json.loads(out)

    # ---- Preparation --------------------------------------------------------------------------------------

    def tokens(self, server, count):
        """A file of access tokens, made by the server's own login; that of an earlier run if still good."""
        file = self.directory / "tokens.txt"
        about = self.directory / "tokens.json"
        try:
            made = json.loads(about.read_text())
            young = time.time() - made["at"] < TOKENS_GOOD_FOR_S
            if young and made["count"] >= count and self.accepted(server, file):
                return file
        except (OSError, ValueError, KeyError):
            pass  # none there, or not readable: make them
        about.unlink(missing_ok=True)
        report = self.run(["login", "--port", server.port, "--connections", 64, "--depth", 16,
                           "--count", count, "--out", file])
        about.write_text(json.dumps({"at": time.time(), "count": count}))
        print(f"{count:,} tokens in {report['seconds']:.1f} s ({report['rate']:,} logins/s)", flush=True)
        return file

    @staticmethod
    def accepted(server, file):
        with open(file, encoding="ascii") as lines:
            token = lines.readline().strip()
        status, _ = server.call("GET", "/requests/none", token=token)
        return status == 404  # known as a person; the request is not

    def fill(self, server, event, tokens, count, out):
        return self.run(["fill", "--port", server.port, "--connections", 64, "--depth", 16, "--event", event,
                         "--tokens", tokens, "--count", count, "--out", out])

    # ---- Load ---------------------------------------------------------------------------------------------

    def post(self, server, events, tokens, connections, **more):
        words = ["post", "--tokens", tokens]
        for event in events:
            words += ["--event", event]
        return self.load(words, server, connections, **more)

    def get(self, server, ids, tokens, connections, **more):
        return self.load(["get", "--tokens", tokens, "--ids", ids], server, connections, **more)

    def join(self, server, concert, count, out, user_prefix="u", keep_every=1):
        report = self.run(["join", "--port", server.port, "--connections", 64, "--depth", 16, "--concert", concert,
                           "--count", count, "--user-prefix", user_prefix, "--keep-every", keep_every, "--out", out])
        if report["accepted_total"] != count:
            raise BenchError(f"joining: {report['status']}")
        return report

    def enter(self, server, concert, persons, connections, **more):
        return self.load(["enter", "--concert", concert, "--count", persons], server, connections, **more)

    def poll(self, server, tokens, connections, **more):
        return self.load(["poll", "--tokens", tokens], server, connections, **more)

    def listen(self, server, tokens, listeners, seconds, settle):
        return self.run(["listen", "--port", server.port, "--tokens", tokens, "--connections", listeners,
                         "--seconds", seconds, "--settle", settle, "--server-pid", server.pid])

    def load(self, words, server, connections, seconds, warmup, rate=None, max_unanswered=None, drain=10):
        words = words + ["--port", server.port, "--connections", connections, "--seconds", seconds,
                         "--warmup", warmup, "--drain", drain, "--server-pid", server.pid,
                         "--server-core", core_or_first(SERVER_CORE)]
        if rate:
            words += ["--rate", rate]
        if max_unanswered:
            words += ["--max-unanswered", max_unanswered]
        return self.run(words)


def must_be_clean(report, what, status):
    """A figure counts only when every answer was the wanted one."""
    wrong = {k: v for k, v in report["status"].items() if k != str(status)}
    faults = []
    if wrong:
        faults.append(f"answers {wrong}")
    for name in ("unanswered", "closed_connections", "malformed", "not_sent"):
        if report[name]:
            faults.append(f"{name} {report[name]}")
    if report["body"]["wrong"] or not report["body"]["checked"]:
        faults.append(f"bodies {report['body']}")
    if report["ran_dry"]:
        faults.append("the client had no more persons")
    if faults:
        raise BenchError(f"{what}: {'; '.join(faults)}; first answer: {report['sample'][:300]!r}")


def answer_shape(report):
    """What nginx must send for its answer to be as large as this one."""
    head, body = report["sample"].split("\r\n\r\n", 1)
    fields = [line.split(": ", 1) for line in head.split("\r\n")[1:]]
    extra = [(k, v) for k, v in fields if k.lower() in ("location", "retry-after")]
    status = int(head.split(" ")[1])
    reason = head.split("\r\n")[0]
    nginx = len(reason) + 2 + sum(len(f"{k}: {v}\r\n") for k, v in extra)
    nginx += len("Server: nginx\r\nDate: Fri, 20 Nov 2026 23:42:22 GMT\r\nContent-Type: application/json\r\n")
    nginx += len(f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\n\r\n") + len(body)
    missing = len(report["sample"]) - nginx - len("X-Pad: \r\n")
    if missing > 0:
        extra.append(("X-Pad", "x" * missing))
    return {"status": status, "extra": extra, "body": body, "bytes": len(report["sample"])}


