#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_prose.py finds what it is there to find, and nothing in sentences that are in order.

A bar splits each bad word below, so that this file passes itself.
"""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import check_prose


def findings(name, *lines):
    """The line numbers and words that are found in a file of this name with these lines."""
    text = "\n".join(lines).replace("|", "") + "\n"
    return [(line, what.split('"')[1]) for line, what in sorted(set(check_prose.check(name, text)))]


def run(*paths):
    command = [sys.executable, check_prose.__file__, *paths]
    return subprocess.run(command, capture_output=True, text=True)


class CommentTest(unittest.TestCase):
    def test_sentences_in_order_pass(self):
        self.assertEqual(
            findings(
                "a.cc",
                "// SPDX-License-Identifier: Apache-2.0",
                "//",
                "// Listener: accepts peers. libevent reports each of them, and the listener owns",
                "// that connection with its calls.",
                "//",
                "// ttrpc-proxyd is its only user; `told` is a name.",
                "int x;  // bytes, header included",
                '// "*" stands for any run of characters, and there is none for a slash.',
                "// as_root() and what: names, not words.",
                'const char* kWord = "to|ld";',
                'Te|ll("the peer", 1\'000\'000);  // see http://example.com/a#of',
            ),
            [],
        )

    def test_first_words(self):
        for word in ["O|f", "T|hat", "A|s", "W|ith", "W|ho", "W|hat", "W|hose", "W|hoever"]:
            plain = word.replace("|", "")
            also = [(2, plain)] if plain == "Whoever" else []
            lines = ["", f"// {word} the peer."]
            for name in ["a.cc", "a.h", "a.proto", "a.go", "a.rs", "a.css", "a.map"]:
                self.assertEqual(findings(name, *lines)[-1], (2, plain))
            for name in ["a.sh", "a.py", "a.toml", "meson.build", ".clang-tidy", "debian/rules"]:
                self.assertEqual(findings(name, *lines), [])
                self.assertEqual(findings(name, "", f"# {word} the peer.")[-1], (2, plain))
            self.assertEqual(len(findings("a.cc", *lines)), 1 + len(also))

    def test_each_form_of_comment(self):
        self.assertEqual(findings("a.cc", "int x;  // o|f the peer"), [(1, "of")])
        self.assertEqual(findings("a.cc", "/* O|f the peer. */"), [(1, "Of")])
        self.assertEqual(findings("a.cc", "/**", " * O|f the peer.", " */"), [(2, "Of")])
        self.assertEqual(findings("a.rs", "//! O|f the peer.", "/// O|f it."), [(1, "Of")])
        self.assertEqual(findings("a.sh", "x=1 # o|f the peer"), [(1, "of")])
        self.assertEqual(findings("a.py", "def f():", '    """O|f the peer."""'), [(2, "Of")])
        self.assertEqual(findings("a.sh", "x=${y#o|f} z='# o|f'"), [])
        self.assertEqual(findings("a.cc", 'f("// o|f the peer");'), [])
        self.assertEqual(findings("a.cc", 'f(R"(', "// o|f the peer", ')");'), [])

    def test_only_the_first_word_of_a_paragraph(self):
        self.assertEqual(findings("a.cc", "// It is the name", "// o|f the peer."), [])
        self.assertEqual(findings("a.cc", "int x;  // the name", "        // o|f the peer"), [])
        self.assertEqual(findings("a.cc", "// A peer.", "//", "// O|f it."), [(3, "Of")])
        self.assertEqual(findings("a.cc", "// A peer.", "int x;", "// O|f it."), [(3, "Of")])
        self.assertEqual(findings("a.sh", "# SPDX-License-Identifier: x", "# O|f it."), [(2, "Of")])

    def test_a_comment_that_begins_in_a_sentence(self):
        self.assertEqual(findings("a.cc", "// A peer.", "//", "// and is closed."), [(3, "and")])
        self.assertEqual(findings("a.sh", "# is closed by the peer"), [(1, "is")])
        self.assertEqual(findings("a.cc", "// libevent calls it.", "int x;  // its calls"), [])


class WordsTest(unittest.TestCase):
    WORDS = (
        "to|ld te|ll te|lls te|lling fol|der Fol|ders an|ew who|ever for| ever st|ands st|ood "
        "look|s on say|s of hand|ed out be| it com|es to is| none hard|ly besi|des what is| left "
        "such a| one st|ead as if| by"
    )

    def test_each_word_in_each_kind_of_text(self):
        plain = self.WORDS.replace("|", "").lower()
        for name, form in [
            ("a.cc", "// The {} end."),
            ("a.cc", 'f("the {} end");'),
            ("a.py", "# The {} end."),
            ("a.py", 'x = """The {} end."""'),
            ("a.sh", "echo 'the {} end'"),
            ("a.md", "The {} end."),
            ("a.8", "The {} end."),
            ("a.json", '{{"description": "The {} end."}}'),
        ]:
            found = [word.lower() for _, word in findings(name, form.format(self.WORDS))]
            self.assertEqual(len(found), 23, name)
            for word in found:
                self.assertIn(word, plain)

    def test_across_lines(self):
        words = " ".join(["for", "ever"])
        self.assertEqual(findings("a.cc", "// It waits for|", "// ever|."), [(1, words)])
        self.assertEqual(findings("a.md", "It waits", "for|", "ever|."), [(2, words)])

    def test_code_is_not_prose(self):
        self.assertEqual(findings("a.cc", "std::string fol|der = Te|ll();  // see Te|ll()"), [])
        self.assertEqual(findings("a.sh", 'fol|der=$(mktemp -d) && rm "$fol|der"'), [])
        self.assertEqual(findings("a.md", "The function `fol|der` returns it."), [])
        self.assertEqual(findings("a.py", 'f"not in {fol|der}" + "in {fol|der} below"'), [])
        self.assertEqual(findings("a.sh", 'echo "not in $fol|der or ${fol|ders[@]}"'), [])
        self.assertEqual(findings("LICENSE", "to|ld"), [])


class ProgramTest(unittest.TestCase):
    def test_prints_each_finding_and_fails(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "a.h")
            path.write_text("// A peer.\nint x;  // O|f the peer.\n".replace("|", ""))
            result = run(path)
        self.assertEqual(
            result.stdout, f'{path}:2: a comment begins with "Of"; begin with its subject\n'
        )
        self.assertEqual((result.returncode, result.stderr), (1, ""))

    def test_passes_itself(self):
        result = run(check_prose.__file__, __file__)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
