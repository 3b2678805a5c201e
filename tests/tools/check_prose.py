#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the English of the sources as far as a pattern can: check_prose.py [FILE…]

Reads the given files, or every tracked file. Prints FILE:LINE: WHAT for each finding, and exits 1
if there is one. These are the rules:

 - A comment begins with its subject, so its first word is not Of, That, As, With, Who or What. The
   same holds for each paragraph of a comment.
 - A comment does not begin in the middle of a sentence.
 - Comments, messages and documents use the field's words. WORDS lists the others.

Code in backticks, placeholders and single words in quotes are not prose. An identifier may have any
name.
"""
import re
import subprocess
import sys
from dataclasses import dataclass

# A word in capitals is a placeholder, as in `check WHAT`.
FIRST = re.compile(
    r"([Oo]f|[Tt]hat|[Aa]s|[Ww]ith|[Ww]ho|[Ww]hat|[Ww]hose|[Ww]hoever|[Ww]hom)\b(?![(_:.])"
)
# Programs and identifiers may begin a sentence in lower case. These words cannot be names.
CUT = re.compile(
    r"(a|also|an|and|are|at|because|but|by|cannot|from|has|have|in|is|it|its|nor|not|on|only|or|so"
    r"|than|the|their|they|those|to|was|were|when|where|which|would)\b(?![(_:.])"
)
# Each is a pattern and what to write instead.
WORDS = [
    (r"tell|tells|told|telling", "report, notify, show, log, distinguish"),
    (r"folders?", "directory"),
    (r"anew", "again"),
    (r"whoever|whomever|whosoever", "a noun: the client, the user"),
    (r"for\s+ever", "permanently, without end"),
    (r"(?:stand|stands|stood)(?!\s+for\b|-)", "is, is listed, appears"),
    (r"(?:look|looks|looked|looking)\s+on", "watch"),
    (r"(?:say|says|said)\s+of", "report about"),
    (r"(?:hand|hands|handed)\s+out", "return, deliver, assign"),
    (r"be\s+it", "whether"),
    (r"(?:come|comes|came)\s+to", "reach, amount to"),
    (r"(?<!there\s)(?:is|are|was|were)\s+none", "is not"),
    (r"hardly", "rarely, probably not"),
    (r"besides", "also"),
    (r"what\s+is\s+left", "the rest"),
    (r"such\s+a\s+one", "the noun"),
    (r"stead", "instead of"),
    (r"as\s+if\s+by", "a clause with a verb"),
]
PATTERNS = [(re.compile(rf"\b(?:{words})\b(?!\()", re.IGNORECASE), use) for words, use in WORDS]
# Code in backticks, variables of a shell, and placeholders.
CODE = re.compile(r"`[^`\n]*`|\$\{?\w+|\{[\w.]+\}")
# The marks at the beginning and at the end of a comment's lines.
MARKS = re.compile(r'^\s*(?:/{2,}!?|/?\*+/?|#+!?|"{3})?\s*|\s*(?:\*/|"{3})$')

SLASHES = re.compile(  # C++, protobuf, Go, Rust and JavaScript
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"
      | "(?:\\.|[^"\\\n])*"
      | '(?:\\.|[^'\\\n])'""",
    re.DOTALL | re.VERBOSE,
)
HASHES = re.compile(  # Python, shell, meson, TOML, YAML and units of systemd
    r"""\"{3}.*?\"{3}|'{3}.*?'{3}
      | (?:^|(?<=[\s;(]))(?P<comment>\#[^\n]*)
      | "(?:\\.|[^"\\\n])*"
      | '[^'\n]*'""",
    re.DOTALL | re.VERBOSE | re.MULTILINE,
)
SYNTAX = [
    (re.compile(r"\.(cc|h|proto|go|rs|js|css|map|golden)$"), SLASHES),
    (re.compile(r"\.(py|sh|bash|fish|awk|cmake|toml|ya?ml|in|service|socket|conf|supp|dict)$"), HASHES),
    (re.compile(r"(^|/)(meson\.build|meson_options\.txt|CMakeLists\.txt|\.ci/run|\.[\w-]+|_[\w-]+)$"), HASHES),
    (re.compile(r"(^|/)debian/(rules|[\w-]+\.\w+)$"), HASHES),
    (re.compile(r"(\.(md|[1-8]|html|json)|(^|/)debian/(control|changelog))$"), None),
]
SKIPPED = re.compile(r"(^|/)(LICENSE|seeds/.*)$")


@dataclass
class Comment:
    line: int
    column: int
    text: str  # without the marks at its beginning
    own_line: bool


def words_in(text, line):
    """The findings of WORDS in a text that begins at `line`."""
    text = CODE.sub(lambda code: "`" * len(code[0]), text)
    for pattern, use in PATTERNS:
        for match in pattern.finditer(text):
            found = " ".join(match[0].split())
            yield line + text.count("\n", 0, match.start()), f'"{found}"; write: {use}'


def first_words_in(comments):
    """The findings of FIRST and CUT in the comments of a file, in order."""
    before = None
    for comment in comments:
        begins = not (
            before
            and before.text
            and not before.text.startswith(("SPDX", "shellcheck "))
            and comment.own_line
            and comment.line == before.line + 1
            and comment.column == before.column
        )
        before = comment
        text = comment.text.lstrip("(")
        if not begins:
            continue
        if first := FIRST.match(text):
            yield comment.line, f'a comment begins with "{first[0]}"; begin with its subject'
        elif comment.own_line and (first := CUT.match(text)):
            yield comment.line, f'a comment begins in a sentence, with "{first[0]}"'


def join(comments):
    """Paragraphs of comments on successive lines, so that a pattern sees across line ends."""
    paragraph = []
    for comment in comments:
        if paragraph and (
            comment.line != paragraph[-1].line + 1
            or comment.column != paragraph[-1].column
            or not comment.own_line
        ):
            yield paragraph[0].line, "\n".join(part.text for part in paragraph)
            paragraph = []
        paragraph.append(comment)
    if paragraph:
        yield paragraph[0].line, "\n".join(part.text for part in paragraph)


def check_source(syntax, text):
    comments = []
    for token in syntax.finditer(text):
        line = text.count("\n", 0, token.start()) + 1
        start = text.rfind("\n", 0, token.start()) + 1
        own_line = not text[start : token.start()].strip()
        comment = token["comment"]
        if own_line and token[0].startswith('"' * 3):
            comment = token[0]  # a docstring
        if comment is not None:
            for offset, part in enumerate(comment.split("\n")):
                part = MARKS.sub("", part)
                comments.append(Comment(line + offset, token.start() - start, part, own_line))
                own_line = True
        elif " " in (literal := token[0][1:-1].strip()):
            yield from words_in(literal, line)
    yield from first_words_in(comments)
    for line, paragraph in join(comments):
        yield from words_in(paragraph, line)


def check(path, text):
    """The findings in a file, as (line, what)."""
    for name, syntax in SYNTAX:
        if name.search(path):
            yield from words_in(text, 1) if syntax is None else check_source(syntax, text)
            return


def tracked_files():
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    files = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return files.split("\0")[:-1]


def main(paths):
    failed = False
    for path in paths or tracked_files():
        if SKIPPED.search(path):
            continue
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        for line, what in sorted(set(check(path, text))):
            print(f"{path}:{line}: {what}")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
