// Encrypts a message so that only one app on one phone can read it: neither Bellwire's server nor the
// phone's agent can (docs/guide/end_to_end.md). Needs Node.js and no package.
//
//   const { token, payload } = encryptFor(encryptedToken, Buffer.from('You have mail'));
//
// It is RFC 8291 (as for Web Push), behind a mark. `payload` is what to Send: over the JSON API,
// payload.toString('base64').
'use strict';

const crypto = require('crypto');

// Before the RFC 8188 body: no UTF-8 text begins so. The last byte is the version.
const MARK = Buffer.from([0xbe, 0x62, 0x77, 0x01]);
// What Bellwire takes (4,096 bytes), less the mark and what the encryption adds.
const MAX_TEXT_BYTES = 4096 - MARK.length - 103;
const RECORD_BYTES = 4096;

// { token, publicKey, auth } of "e1.TOKEN.P256DH.AUTH". Throws: it is none.
function parseEncryptedToken(encryptedToken) {
  const parts = encryptedToken.split('.');
  if (parts.length !== 4 || parts[0] !== 'e1' || parts[1] === '') {
    throw new Error('an encrypted token has the form e1.TOKEN.P256DH.AUTH');
  }
  const publicKey = Buffer.from(parts[2], 'base64url');
  const auth = Buffer.from(parts[3], 'base64url');
  if (publicKey.length !== 65 || auth.length !== 16) {
    throw new Error('P256DH has 65 bytes and AUTH 16, in base64url');
  }
  return { token: parts[1], publicKey, auth };
}

function hmac(key, ...data) {
  const mac = crypto.createHmac('sha256', key);
  for (const part of data) mac.update(part);
  return mac.digest();
}

// The body of RFC 8291 for who has the private half of `publicKey`. Leave `sender` (an ECDH with its
// keys) and `salt` out: both must be new for each message.
function encryptAes128gcm(text, publicKey, auth, sender, salt) {
  if (!sender) {
    sender = crypto.createECDH('prime256v1');
    sender.generateKeys();
  }
  salt = salt || crypto.randomBytes(16);
  const senderPublic = sender.getPublicKey();
  const shared = hmac(auth, sender.computeSecret(publicKey));
  const secret = hmac(salt, hmac(shared, 'WebPush: info\0', publicKey, senderPublic, '\x01'));
  const key = hmac(secret, 'Content-Encoding: aes128gcm\0\x01').subarray(0, 16);
  const nonce = hmac(secret, 'Content-Encoding: nonce\0\x01').subarray(0, 12);
  const header = Buffer.alloc(21);
  salt.copy(header);
  header.writeUInt32BE(RECORD_BYTES, 16);
  header[20] = 65;
  const cipher = crypto.createCipheriv('aes-128-gcm', key, nonce);
  // 2: this record is the last one.
  return Buffer.concat([header, senderPublic, cipher.update(text), cipher.update(Buffer.of(2)),
                        cipher.final(), cipher.getAuthTag()]);
}

// { token, payload } to Send. Throws: the encrypted token is malformed, or the text too long.
function encryptFor(encryptedToken, text) {
  const { token, publicKey, auth } = parseEncryptedToken(encryptedToken);
  if (text.length > MAX_TEXT_BYTES) {
    throw new Error(`${text.length} bytes are too many: at most ${MAX_TEXT_BYTES}`);
  }
  return { token, payload: Buffer.concat([MARK, encryptAes128gcm(text, publicKey, auth)]) };
}

module.exports = { MARK, MAX_TEXT_BYTES, parseEncryptedToken, encryptAes128gcm, encryptFor };
