// The example of RFC 8291, section 5, and what encryptFor refuses.
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const { MARK, encryptAes128gcm, encryptFor } = require('./encrypt.js');

const b64 = (text) => Buffer.from(text, 'base64url');
const PUBLIC_KEY =
    'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4';
const AUTH = 'BTBZMqHH6r4Tts7J_aSIgg';
const TEXT = Buffer.from('When I grow up, I want to be a watermelon');
const BODY =
    'DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS' +
    '6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qu' +
    'lcy4a-fN';
const TOKEN = `e1.00c0ffee.${PUBLIC_KEY}.${AUTH}`;

// The example of the RFC.
const sender = crypto.createECDH('prime256v1');
sender.setPrivateKey(b64('yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw'));
const body =
    encryptAes128gcm(TEXT, b64(PUBLIC_KEY), b64(AUTH), sender, b64('DGv6ra1nlYgDCS1FRnbzlw'));
assert.strictEqual(body.toString('base64url'), BODY);

// What is sent.
const { token, payload } = encryptFor(TOKEN, TEXT);
assert.strictEqual(token, '00c0ffee');
assert.ok(payload.subarray(0, 4).equals(MARK));
assert.strictEqual(payload.length, TEXT.length + 4 + 103);
assert.ok(!payload.subarray(4, 90).equals(encryptFor(TOKEN, TEXT).payload.subarray(4, 90)));
assert.strictEqual(encryptFor(TOKEN, Buffer.alloc(3989)).payload.length, 4096);

// Refusals.
assert.throws(() => encryptFor(TOKEN, Buffer.alloc(3990)));
for (const malformed of
     ['', '00c0ffee', `e2.00c0ffee.${PUBLIC_KEY}.${AUTH}`, `e1..${PUBLIC_KEY}.${AUTH}`,
      `e1.00c0ffee.${PUBLIC_KEY}`, `e1.00c0ffee.${AUTH}.${PUBLIC_KEY}`,
      `e1.00c0ffee.${PUBLIC_KEY.slice(0, -2)}AA.${AUTH}`]) {
  assert.throws(() => encryptFor(malformed, TEXT), malformed);
}
console.log('OK');
