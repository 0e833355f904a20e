#!/usr/bin/python3
"""A search that finds nothing must be one that would have found it."""
import base64
import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from search import files_with, in_memory, spellings  # noqa: E402

SECRET = os.urandom(12).hex().encode()


class SearchTest(unittest.TestCase):
    def test_every_spelling_is_found(self):
        pattern = spellings(SECRET)
        for lead in range(4):
            text = b"x" * lead + SECRET + b"tail"
            for written in (text, text.hex().encode(), base64.b64encode(text),
                            base64.urlsafe_b64encode(text)):
                self.assertTrue(pattern.search(b"..." + written + b"..."), written)
        self.assertFalse(pattern.search(os.urandom(1 << 20)))

    def test_files(self):
        with tempfile.TemporaryDirectory() as root:
            os.mkdir(f"{root}/below")
            pathlib.Path(root, "below", "with").write_bytes(b"a" + SECRET)
            pathlib.Path(root, "without").write_bytes(b"a" + SECRET[1:])
            self.assertEqual(files_with(spellings(SECRET), root), [f"{root}/below/with"])

    def test_memory(self):
        pattern = spellings(SECRET)
        self.assertTrue(in_memory(pattern, os.getpid()))
        self.assertFalse(in_memory(spellings(os.urandom(16)), os.getppid()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
