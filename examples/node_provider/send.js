// An app backend in JavaScript: sends a message that only the app can read (docs/guide/end_to_end.md),
// over the JSON API, and retries as docs/guide/send.md says. Needs Node.js and no package. By gRPC:
// docs/guide/send.md.
//
//   export BELLWIRE_ACCESS_TOKEN=bw_...  # bellwire key create --send_only TEAM
//   node send.js https://push.example.com:7443 ca.pem ENCRYPTED_TOKEN "You have mail"
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const https = require('https');
const { encryptFor } = require('./encrypt.js');

const PATIENCE_MS = 30000;
// With the same message id any of them may be tried again; so may what got no answer.
const AGAIN = [429, 503, 504];

// One attempt: {status, body, retryAfterMs}. Rejects where there is no answer.
function attempt(url, options, body) {
  return new Promise((resolve, reject) => {
    const request = https.request(url, options, (response) => {
      let text = '';
      response.on('data', (data) => { text += data; });
      response.on('error', reject);
      response.on('end', () => {
        const seconds = Number(response.headers['retry-after']);
        resolve({ status: response.statusCode, body: text,
                  retryAfterMs: seconds >= 0 ? seconds * 1000 : undefined });
      });
    });
    request.on('timeout', () => request.destroy(new Error('the server does not answer')));
    request.on('error', reject);
    request.end(body);
  });
}

// The first answer that is none to try again, or the last one. Throws: the server can't be reached.
async function send(url, ca, accessToken, message) {
  const body = JSON.stringify({ messageId: crypto.randomUUID(), ...message });
  const end = Date.now() + PATIENCE_MS;
  for (let pause = 200; ; pause = Math.min(2 * pause, 10000)) {
    const options = { method: 'POST', ca, timeout: Math.max(1, end - Date.now()),
                      headers: { authorization: `Bearer ${accessToken}` } };
    let answer, failure;
    try {
      answer = await attempt(url, options, body);
      if (!AGAIN.includes(answer.status)) return answer;
    } catch (error) {
      failure = error;
    }
    const delay = (answer && answer.retryAfterMs) ?? pause * (0.5 + Math.random() / 2);
    if (Date.now() + delay >= end) {
      if (failure) throw failure;
      return answer;
    }
    await new Promise((done) => setTimeout(done, delay));
  }
}

async function main() {
  if (process.argv.length !== 6 || !process.env.BELLWIRE_ACCESS_TOKEN) {
    console.error('usage: BELLWIRE_ACCESS_TOKEN=bw_... node send.js URL CA ENCRYPTED_TOKEN TEXT');
    return 2;
  }
  const [url, ca, encryptedToken, text] = process.argv.slice(2);
  const { token, payload } = encryptFor(encryptedToken, Buffer.from(text));
  const answer = await send(new URL('/v1/messages', url), fs.readFileSync(ca),
                            process.env.BELLWIRE_ACCESS_TOKEN,
                            { token, payload: payload.toString('base64') });
  console.log(answer.body);
  return answer.status === 200 ? 0 : 1;
}

main().then((code) => { process.exitCode = code; }, (error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
});
