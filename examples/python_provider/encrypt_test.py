#!/usr/bin/python3
"""The example of RFC 8291, section 5, and what encrypt_for refuses."""
import base64
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

import encrypt  # noqa: E402


def b64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


PUBLIC_KEY = ("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNto"
              "IAiw4")
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SENDER_KEY = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
TEXT = b"When I grow up, I want to be a watermelon"
BODY = ("DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmY"
        "WAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexS"
        "gSxsj_Qulcy4a-fN")
ENCRYPTED_TOKEN = f"e1.00c0ffee.{PUBLIC_KEY}.{AUTH}"


class EncryptTest(unittest.TestCase):
    def test_the_example_of_the_rfc(self):
        key = ec.derive_private_key(int.from_bytes(b64(SENDER_KEY), "big"), ec.SECP256R1())
        body = encrypt.encrypt_aes128gcm(TEXT, b64(PUBLIC_KEY), b64(AUTH), key, b64(SALT))
        self.assertEqual(base64.urlsafe_b64encode(body).decode().rstrip("="), BODY)

    def test_what_is_sent(self):
        token, payload = encrypt.encrypt_for(ENCRYPTED_TOKEN, TEXT)
        self.assertEqual(token, "00c0ffee")
        self.assertTrue(payload.startswith(encrypt.MARK))
        self.assertEqual(len(payload), len(TEXT) + 4 + 103)
        # Nothing is used twice.
        self.assertNotEqual(payload[4:90], encrypt.encrypt_for(ENCRYPTED_TOKEN, TEXT)[1][4:90])
        self.assertEqual(len(encrypt.encrypt_for(ENCRYPTED_TOKEN, b"x" * 3989)[1]), 4096)

    def test_refusals(self):
        with self.assertRaises(ValueError):
            encrypt.encrypt_for(ENCRYPTED_TOKEN, b"x" * 3990)
        for malformed in ("", "00c0ffee", f"e2.00c0ffee.{PUBLIC_KEY}.{AUTH}",
                          f"e1..{PUBLIC_KEY}.{AUTH}", f"e1.00c0ffee.{PUBLIC_KEY}",
                          f"e1.00c0ffee.{AUTH}.{PUBLIC_KEY}",
                          # Not on the curve.
                          f"e1.00c0ffee.{PUBLIC_KEY[:-2]}AA.{AUTH}"):
            with self.assertRaises(ValueError, msg=malformed):
                encrypt.encrypt_for(malformed, TEXT)


if __name__ == "__main__":
    unittest.main()
