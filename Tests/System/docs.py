#!/usr/bin/env python3
"""Holds the documents to the programs: every twind and twinctl command in a fenced block or a unit is one that the built
program knows, with every long option that the document gives it. Exits with 77 where nothing is built.
"""

import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = 77
WORD = re.compile(r"[a-z][a-z-]*$")
COMMAND = re.compile(r"(?:^|[|;&(] *|sudo (?:-u \w+ )?|ExecSt\w+=/usr/bin/|ssh \S+ )(twind|twinctl)((?: [^|;&#)\n]*)?)")


def fenced_lines(path):
    """The lines of a document's fenced blocks with their numbers; of a unit, all."""
    inside = not path.endswith(".md")
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("```") and path.endswith(".md"):
                inside = not inside
            elif inside:
                yield number, line.rstrip("\n").lstrip("$ ")


def help_of(program, verbs, known={}):
    key = (program, *verbs)
    if key not in known:
        done = subprocess.run([program, *verbs, "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        known[key] = done.stdout + done.stderr
    return known[key]


def problem(program, words):
    """What the program does not know of a command, or None."""
    name = os.path.basename(program)
    verbs, text = [], help_of(program, [])
    for word in words:
        if not WORD.match(word):
            break
        deeper = help_of(program, verbs + [word])
        # An unknown word gets the help of the verb before it; then it is an argument, if that verb takes one.
        if f"USAGE: {' '.join([name, *verbs, word])}" not in deeper:
            if "<subcommand>" in text and "SUBCOMMANDS" in text:
                return f"no verb {' '.join([name, *verbs, word])!r}"
            break
        verbs, text = verbs + [word], deeper
    for option in (re.match(r"--[a-z-]+", w) for w in words):
        if option and option.group() not in ("--help", "--version") and not re.search(rf"{option.group()}\b(?!-)", text):
            return f"{' '.join([name, *verbs])!r} has no {option.group()}"
    return None


def main():
    folders = [os.environ.get("TWIND_TEST_BINARIES"), f"{ROOT}/.build/debug", f"{ROOT}/.build-release/release"]
    programs = {}
    for name in ("twind", "twinctl"):
        paths = [f"{f}/{name}" for f in folders if f and os.access(f"{f}/{name}", os.X_OK)]
        if not paths:
            print("docs: skipped, nothing is built: make build")
            return SKIPPED
        programs[name] = paths[0]
    documents = [f"{ROOT}/README.md", f"{ROOT}/systemd/twind.service"] + glob.glob(f"{ROOT}/docs/**/*.md", recursive=True)
    checked, problems = 0, []
    for path in sorted(p for p in documents if os.path.exists(p)):
        for number, line in fenced_lines(path):
            for name, rest in COMMAND.findall(line):
                checked += 1
                # Texts in quotes are arguments; what is in them is no option.
                words = re.sub(r"'[^']*'|\"[^\"]*\"", "X", rest).split()
                wrong = problem(programs[name], words)
                if wrong:
                    problems.append(f"{os.path.relpath(path, ROOT)}:{number}: {wrong}")
    print("\n".join(problems + [f"docs: {checked} commands, {len(problems)} unknown to the programs"]))
    # A rule that looks at nothing holds nothing.
    return 1 if problems or checked < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
