#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the code of libttrpc/README.md as its readers would.

readme.py extract README EXAMPLES DIR   writes the files that the page shows into DIR
readme.py sh README DIR WORDS           runs the block of commands that begins with WORDS
readme.py console README DIR SOCKET     runs the transcript, and compares its output

A block of code on the page has the name of its file beside the language; blocks of one name follow
each other in the file. `extract` compares the files with those in EXAMPLES, and refuses a block that
is neither part of a file nor commands. The socket of the transcript is replaced by SOCKET. The
caller's environment leads to the installed library. Prints what is wrong, and exits with 1.
"""
import queue
import re
import subprocess
import sys
import threading
from pathlib import Path

TIMEOUT = 60  # seconds, for one command of the transcript
END = "the end of a command"


def blocks(page):
    """Yields (language, name, text) for each block of code."""
    for match in re.finditer(r"^```([a-z]*) ?(\S*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield match.groups()


def below_head(text):
    """A source without the comment at its top."""
    return re.sub(r"\A(//[^\n]*\n)+", "", text)


def extract(page, examples, directory):
    files = {}
    for language, name, text in blocks(page):
        if name:
            # An empty line between two blocks is not shown.
            files[name] = f"{files[name]}\n{text}" if name in files else text
        elif language not in ("sh", "console"):
            sys.exit(f"a block of {language or 'code'} has no file name, so nothing tests it:\n{text}")
    for name, text in files.items():
        # The examples of the tree are built by the tree's own meson.build.
        example = Path(examples, name)
        if example.suffix in (".cc", ".proto") and below_head(example.read_text()) != text:
            sys.exit(f"{name} of the page differs from {example}")
        Path(directory, name).write_text(text)


def commands(page, directory, words):
    found = [text for language, _, text in blocks(page) if language == "sh" and text.startswith(words)]
    if len(found) != 1:
        sys.exit(f"{len(found)} blocks of commands begin with {words}")
    sys.exit(subprocess.run(["bash", "-ec", found[0]], cwd=directory, check=False).returncode)


def console(page, directory, socket):
    (transcript,) = [text for language, _, text in blocks(page) if language == "console"]
    transcript = transcript.replace("/tmp/kv.sock", socket)
    shell = subprocess.Popen(["bash"], cwd=directory, text=True, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in shell.stdout], daemon=True).start()
    try:
        for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", transcript, re.MULTILINE):
            shell.stdin.write(f"{command}\necho '{END}'\n")
            shell.stdin.flush()
            # A command in the background may print its lines after the end.
            wanted = sorted([*output.splitlines(), END])
            printed = []
            while len(printed) < len(wanted) or END not in printed:
                try:
                    printed.append(lines.get(timeout=TIMEOUT).rstrip("\n"))
                except queue.Empty:
                    break
            if sorted(printed) != wanted:
                sys.exit(f"{command}: expected {wanted}, not {printed}")
    finally:
        shell.stdin.write("kill $(jobs -p)\n")
        shell.stdin.close()
        shell.wait()


def main():
    action, page, *arguments = sys.argv[1:]
    page = Path(page).read_text()
    {"extract": extract, "sh": commands, "console": console}[action](page, *arguments)


if __name__ == "__main__":
    main()
