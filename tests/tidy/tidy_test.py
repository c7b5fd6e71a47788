#!/usr/bin/env python3
"""Is the house tidy, and would tidy.py notice if it were not?"""

import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import tidy  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))

CLEAN = {
    "src/base/result.h": "// why\n#pragma once\n#include <string>\n",
    "src/journal/engine.h": '#pragma once\n#include "base/result.h"\n',
    "src/journal/engine.cc": '#include "journal/engine.h"\n',
    "src/http/server.h": '#pragma once\n#include "base/result.h"\n',
    "src/http/session_impl.h": "#pragma once\n#include <boost/beast/http.hpp>\n",
    "src/clients/redis.h": '#pragma once\n#include "base/result.h"\n',
    "src/clients/redis_test.cc": '#include "clients/redis.h"\n#include "http/server.h"\n',
    "src/identity/token.h": '#pragma once\n#include "http/server.h"\n',
    "src/identity/README.md": "who\n",
    "src/intake/README.md": "what\n",
    "src/intake/types.h": '#pragma once\n#include "base/result.h"\n',
    "src/intake/machine.cc": '#include "intake/types.h"\n',
    "src/intake/embedded.cc": '#include "intake/types.h"\n#include "journal/engine.h"\n',
    "src/intake/embedded_test.cc": '#include "journal/engine.h"\n#include "tests/fakes/clock.h"\n',
    "src/intake/routes.cc": '#include "http/server.h"\n#include "identity/token.h"\n',
    "src/intake/http_work.cc": '#include "clients/redis.h"\n',
    "src/intake/redis.cc": '#include "clients/redis.h"\n',
    "src/ops/health.cc": '#include "http/server.h"\n#include "journal/engine.h"\n',
    "src/app/serve.h": '#pragma once\n#include "intake/types.h"\n#include "journal/engine.h"\n',
    "src/main.cc": '#include "app/serve.h"\n',
    "load/generator.cc": '#include "base/result.h"\n',
    "README.md": "[a](docs/a.md) [b](https://example.org/x) [c](#here) [d](docs/a.md#there)\n",
    "docs/ARCHITECTURE.md": "`journal/engine.h`, `tests/sim/sim.cc`, `Machine::decide(command)`\n",
    "src/intake/machine.h": "#pragma once\nclass Machine {\n  void decide();\n};\n",
    "docs/a.md": "[up](../README.md)\n",
    "tests/sim/sim.cc": '#include "intake/types.h"\n',
}

# (file, its text, what must be said about it)
PLANTED = [
    ("src/base/bad.cc", '#include "journal/engine.h"', "base may not include journal"),
    ("src/base/bad.h", '#pragma once\n#include "http/server.h"', "base may not include http"),
    ("src/journal/bad.cc", '#include "intake/types.h"', "journal may not include intake"),
    ("src/journal/bad.cc", '#include "http/server.h"', "journal may not include http"),
    ("src/http/bad.cc", '#include "journal/engine.h"', "http may not include journal"),
    ("src/http/bad.cc", '#include "identity/token.h"', "http may not include identity"),
    ("src/clients/bad.cc", '#include "intake/types.h"', "clients may not include intake"),
    ("src/clients/bad.cc", '#include "http/server.h"', "clients may not include http"),
    ("src/clients/bad_test.cc", '#include "intake/types.h"', "clients may not include intake"),
    ("src/identity/bad.cc", '#include "journal/engine.h"', "identity may not include journal"),
    ("src/intake/machine.h", '#pragma once\n#include "journal/engine.h"', "intake may not include journal"),
    ("src/intake/machine.h", '#pragma once\n  #  include "http/server.h"', "intake may not include http"),
    ("src/intake/embedded.cc", '#include "http/server.h"', "intake may not include http"),
    ("src/intake/routes.cc", '#include "journal/engine.h"', "intake may not include journal"),
    ("src/intake/embeddedness.cc", '#include "journal/engine.h"', "intake may not include journal"),
    ("src/intake/work.cc", '#include "clients/redis.h"', "intake may not include clients"),
    ("src/intake/service.h", '#pragma once\n#include "app/serve.h"', "intake may not include app"),
    ("src/intake/redis.cc", '#include "journal/engine.h"', "intake may not include journal"),
    ("src/waitroom/machine.cc", '#include "intake/types.h"', "waitroom may not include intake"),
    ("src/ops/bad.cc", '#include "intake/types.h"', "ops may not include intake"),
    ("src/main.cc", '#include "intake/types.h"', "main.cc may not include intake"),
    ("load/bad.cc", '#include "http/server.h"', "load may not include http"),
    ("src/base/bad.cc", "#include <journal/engine.h>", "include it with quotes"),
    ("src/base/bad.cc", '#include "result.h"', "not a path from src/"),
    ("src/base/bad.cc", '#include "tests/fakes/clock.h"', "not a path from src/"),
    ("src/http/bad.h", "#pragma once\n#include <boost/asio.hpp>", "heavy"),
    ("src/base/bad.h", "int x;\n#pragma once", "#pragma once"),
    ("src/base/bad.h", "", "#pragma once"),
    ("src/base/bad.cc", "\n" * 501, "501 lines"),
    ("src/base/bad.cc", "x" * 111, "111 columns"),
    ("tests/bad.cc", "x" * 121, "121 columns"),
    ("src/base/bad.cc", "std::this_thread::sleep_for(1ms);", "sleeps"),
    ("tests/bad.cc", "std::this_thread::sleep_until(then);", "sleeps"),
    ("tests/bad.cc", "  ::usleep(10);", "sleeps"),
    ("src/base/bad.cc", "class ConnectionManager final {", "ConnectionManager"),
    ("src/base/bad.cc", "struct StringUtils;", "StringUtils"),
    ("src/base/bad.cc", "class TestHelper {", "TestHelper"),
    ("src/base/bad.cc", "class IClock {", "IClock"),
    ("src/base/bad.cc", "// TO" "DO: later", "not done"),
    ("tests/bad.cc", "// FIX" "ME", "not done"),
    ("src/shop/types.h", "#pragma once", "has a README.md"),
    ("README.md", "see [it](docs/x.md#part)", "links to docs/x.md"),
    ("docs/a.md", "![picture](images/x.png)", "links to images/x.png"),
    ("docs/ARCHITECTURE.md", "in `http/sesion.cc` it", "names http/sesion.cc"),
    ("docs/LIFE_OF_A_REQUEST.md", "then `Machine::decyde(now)` is", "names Machine::decyde"),
    ("src/misc/x.h", "#pragma once", "not a room"),
]


def write(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


class Rules(unittest.TestCase):
    def test_a_clean_tree_has_no_breach(self):
        with tempfile.TemporaryDirectory() as root:
            write(root, CLEAN)
            self.assertEqual([], list(tidy.check(root)))

    def test_every_planted_breach_is_reported(self):
        for path, text, expected in PLANTED:
            with self.subTest(path=path, text=text[:60]), tempfile.TemporaryDirectory() as root:
                write(root, CLEAN)
                write(root, {path: text})
                found = [breach for breach in tidy.check(root) if expected in breach[2]]
                self.assertTrue(found, f"nothing said about {path}: {text[:60]!r}")
                self.assertTrue(found[0][0] == path or path.startswith(found[0][0]))

    def test_words_that_only_look_like_a_breach_are_not(self):
        with tempfile.TemporaryDirectory() as root:
            write(root, CLEAN)
            write(root, {"src/base/good.cc": "class IdSource {\nclass IOError {\nasleep(1);\nstruct Utility;\nt.sleep(1);\n"})
            self.assertEqual([], list(tidy.check(root)))


class House(unittest.TestCase):
    def test_this_house_is_tidy(self):
        breaches = [f"{path}:{number}: {text}" for path, number, text in tidy.check(ROOT)]
        self.assertEqual([], breaches, "\n" + "\n".join(breaches))


if __name__ == "__main__":
    unittest.main()
