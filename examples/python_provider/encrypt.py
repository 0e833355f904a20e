"""Encrypts a message so that only one app on one phone can read it: neither Bellwire's server nor
the phone's agent can (docs/guide/end_to_end.md).

    token, payload = encrypt_for(encrypted_token, b"You have mail")

Needs python3-cryptography and nothing else. It is RFC 8291 (as for Web Push), behind a mark.
"""
import base64
import os

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

# Before the RFC 8188 body: no UTF-8 text begins so. The last byte is the version.
MARK = b"\xbebw\x01"
# What Bellwire takes (4,096 bytes), less the mark and what the encryption adds.
MAX_TEXT_BYTES = 4096 - len(MARK) - 103

_RECORD_BYTES = 4096


def parse_encrypted_token(encrypted_token):
    """(token, the app's public key, its auth secret) of "e1.TOKEN.P256DH.AUTH". ValueError: it is
    none."""
    parts = encrypted_token.split(".")
    if len(parts) != 4 or parts[0] != "e1" or not parts[1]:
        raise ValueError("an encrypted token has the form e1.TOKEN.P256DH.AUTH")
    public_key, auth = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts[2:]
    )
    if len(public_key) != 65 or len(auth) != 16:
        raise ValueError("P256DH has 65 bytes and AUTH 16, in base64url")
    return parts[1], public_key, auth


def _hmac(key, data):
    mac = hmac.HMAC(key, hashes.SHA256())
    mac.update(data)
    return mac.finalize()


def encrypt_aes128gcm(text, public_key, auth, sender_key=None, salt=None):
    """The body of RFC 8291 for who has the private half of `public_key`. Leave `sender_key` and
    `salt` out: both must be new for each message."""
    sender_key = sender_key or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(16)
    receiver = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
    sender_public = sender_key.public_key().public_bytes(
        Encoding.X962, PublicFormat.UncompressedPoint
    )
    shared = _hmac(auth, sender_key.exchange(ec.ECDH(), receiver))
    secret = _hmac(salt, _hmac(shared, b"WebPush: info\0" + public_key + sender_public + b"\1"))
    key = _hmac(secret, b"Content-Encoding: aes128gcm\0\1")[:16]
    nonce = _hmac(secret, b"Content-Encoding: nonce\0\1")[:12]
    header = salt + _RECORD_BYTES.to_bytes(4, "big") + bytes([65]) + sender_public
    # 2: this record is the last one.
    return header + AESGCM(key).encrypt(nonce, text + b"\2", None)


def encrypt_for(encrypted_token, text):
    """(token, payload) to Send. ValueError: the encrypted token is malformed, or the text too
    long."""
    token, public_key, auth = parse_encrypted_token(encrypted_token)
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError(f"{len(text)} bytes are too many: at most {MAX_TEXT_BYTES}")
    return token, MARK + encrypt_aes128gcm(text, public_key, auth)
