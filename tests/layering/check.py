#!/usr/bin/env python3
"""Folders are layers, and includes only point down.

Reads the #include "..." lines of every C file below common/, gateway/ and store/, and fails when one
points to a layer that LAYERS does not allow. It also fails when the gateway's C code knows chat.

    check.py [TOP]      checks a tree (default: the one this file is in)
    check.py --self-test
"""

import pathlib
import re
import sys
import tempfile

# layer: the layers it may include besides itself. The longest name that fits a file is its layer.
# A layer stands below those that name it, so there is no way up. The engine's public header is a layer
# of its own: it declares what the chapters define, and knows none of them.
API = "gateway/graphql/graphql.h"
GRAPHQL = [API, "gateway/graphql/language", "gateway/graphql/type", "gateway/graphql/validation",
           "gateway/graphql/execution", "gateway/graphql"]
LAYERS = {
    "common": [],

    API: ["common"],
    "gateway/graphql/language": ["common", API],
    "gateway/graphql/type": ["common", *GRAPHQL[:2]],
    "gateway/graphql/validation": ["common", *GRAPHQL[:3]],
    "gateway/graphql/execution": ["common", *GRAPHQL[:4]],
    "gateway/graphql": ["common", *GRAPHQL[:5]],

    "gateway/bus": ["common", *GRAPHQL],
    "gateway/feed": ["common", *GRAPHQL, "gateway/bus"],
    "gateway/auth": ["common", *GRAPHQL, "gateway/bus", "gateway/feed"],
    "gateway/web": ["common"],
    "gateway/http": ["common", *GRAPHQL, "gateway/bus", "gateway/feed", "gateway/auth", "gateway/web"],
    "gateway/realtime": ["common", *GRAPHQL, "gateway/bus", "gateway/feed", "gateway/auth", "gateway/http"],
    "gateway": ["common", *GRAPHQL, "gateway/bus", "gateway/feed", "gateway/auth", "gateway/web",
                "gateway/http", "gateway/realtime"],

    "store": ["common"],
    "store/accounts": ["common", "store"],
    "store/rooms": ["common", "store", "store/accounts"],
    "store/main.c": ["common", "store", "store/accounts", "store/rooms"],
}
# Introspection is the part of execution that needs no service; it only has a folder of its own.
PART_OF = {"gateway/graphql/introspection": "gateway/graphql/execution"}

# The gateway serves any schema. These are the words of one service; comments may use them as examples.
CHAT_WORDS = re.compile(r'createMessage|getMessages|addMessage|\blobby\b|\broom/')
CHAT_ALLOWED = ("gateway/web/",)

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.DOTALL)
TOP_FOLDERS = ("common", "gateway", "store")


def layer_of(path):
    """The layer of a path relative to the top, or None."""
    fitting = [name for name in [*LAYERS, *PART_OF] if f"{path}/".startswith(f"{name}/")]
    longest = max(fitting, key=len, default=None)
    return PART_OF.get(longest, longest)


def sources(top):
    for folder in TOP_FOLDERS:
        for path in sorted((top / folder).rglob("*.[chS]")):
            if "node_modules" not in path.parts:
                yield path


def without_comments(text):
    """The text with its comments gone and its lines where they were."""
    def keep(match):
        return match[0] if match[0][0] in "\"'" else "\n" * match[0].count("\n")
    return TOKEN.sub(keep, text)


def check_line(top, path, line):
    """What is wrong with one line of a file: a list of sentences."""
    wrong = []
    include = INCLUDE.match(line)
    if include and "/" not in include[1]:
        # generated headers (migrations, assets) have no folder; a header of ours has
        if (top / path).with_name(include[1]).exists():
            wrong.append(f'"{include[1]}" does not name its layer')
    elif include:
        layer, target = layer_of(path), layer_of(include[1])
        if target is None:
            wrong.append(f'"{include[1]}" is in no known layer')
        elif target != layer and target not in LAYERS[layer]:
            wrong.append(f'{layer} must not include {target} ("{include[1]}")')
    if path.startswith("gateway/") and not path.startswith(CHAT_ALLOWED):
        word = CHAT_WORDS.search(line)
        if word:
            wrong.append(f'the gateway knows no chat, but here is "{word[0]}"')
    return wrong


def check(top):
    """All violations in a tree, as "file:line: sentence"."""
    violations = []
    for file in sources(top):
        path = file.relative_to(top).as_posix()
        if layer_of(path) is None:
            violations.append(f"{path}: is in no known layer")
            continue
        code = without_comments(file.read_text("utf-8", "replace"))
        for number, line in enumerate(code.split("\n"), 1):
            violations += [f"{path}:{number}: {wrong}" for wrong in check_line(top, path, line)]
    return violations


def check_table():
    """Nobody may stand above and below another at once."""
    return [f"the table lets {a} and {b} include each other"
            for a in LAYERS for b in LAYERS[a]
            if a in LAYERS[b]]


def self_test():
    """Plants violations and sees that each is found, and that allowed lines are not."""
    bad = {
        "common/a.c": '#include "gateway/bus/x.h"',
        "gateway/graphql/language/b.c": '#include "gateway/graphql/type/x.h"',
        "gateway/graphql/validation/c.c": '#include "gateway/graphql/execution/x.h"',
        "gateway/graphql/execution/d.h": '#include "gateway/bus/x.h"',
        "gateway/graphql/type/introspected.h": '#include "gateway/graphql/introspection/x.h"',
        "gateway/feed/e.c": '  #  include "gateway/realtime/x.h"',
        "gateway/http/f.c": '#include "store/x.h"',
        "store/g.c": '#include "gateway/bus/x.h"',
        "gateway/feed/h.c": 'const char *stream = "room/lobby";',
        "gateway/main.c": '/* one */ "//" createMessage',
        "gateway/graphql/graphql.h": '#include "gateway/graphql/language/x.h"',
        "gateway/http/i.c": '#include "elsewhere/x.h"',
    }
    good = {
        "gateway/main.c": '#include "gateway/realtime/x.h"',
        "gateway/http/f.c": '#include "gateway/feed/x.h"',
        "gateway/graphql/execution/d.c": '#include "gateway/graphql/introspection/x.h"',
        "store/g.c": '#include "common/x.h"',
        "gateway/web/i.c": 'const char *name = "createMessage";',
        "gateway/bus/j.c": '/* createMessage, for\n   example */ x(); // getMessages',
        "store/h.c": '#include <gateway/bus/x.h> /* "room/lobby" */',
    }
    failed = check_table()
    for expected, files in ((1, bad), (0, good)):
        for path, line in files.items():
            with tempfile.TemporaryDirectory() as folder:
                file = pathlib.Path(folder, path)
                file.parent.mkdir(parents=True)
                file.write_text(line + "\n")
                found = check(pathlib.Path(folder))
                if len(found) != expected:
                    failed.append(f"{path}: {line}: found {found}")
    return failed


def main(arguments):
    if arguments == ["--self-test"]:
        wrong = self_test()
    else:
        top = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).resolve().parents[2])
        wrong = check(top) if any(sources(top)) else [f"no sources below {top}"]
    for sentence in wrong:
        print(sentence)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
