// An app backend in JavaScript: sends a message that only the app can read (docs/guide/end_to_end.md),
// over the JSON API. Needs Node.js and no package.
//
//   export BELLWIRE_ACCESS_TOKEN=bw_...  # bellwire key create --send_only TEAM
//   node send.js https://push.example.com:7443 ca.pem ENCRYPTED_TOKEN "You have mail"
'use strict';

const fs = require('fs');
const https = require('https');
const { encryptFor } = require('./encrypt.js');

if (process.argv.length !== 6 || !process.env.BELLWIRE_ACCESS_TOKEN) {
  console.error('usage: BELLWIRE_ACCESS_TOKEN=bw_... node send.js URL CA ENCRYPTED_TOKEN TEXT');
  process.exit(2);
}
const [url, ca, encryptedToken, text] = process.argv.slice(2);
const { token, payload } = encryptFor(encryptedToken, Buffer.from(text));

const request = https.request(new URL('/v1/messages', url), {
  method: 'POST',
  ca: fs.readFileSync(ca),
  headers: { authorization: `Bearer ${process.env.BELLWIRE_ACCESS_TOKEN}` },
}, (response) => {
  let body = '';
  response.on('data', (data) => { body += data; });
  response.on('end', () => {
    console.log(body);
    process.exitCode = response.statusCode === 200 ? 0 : 1;
  });
});
request.on('error', (error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
});
request.end(JSON.stringify({ token, payload: payload.toString('base64') }));
