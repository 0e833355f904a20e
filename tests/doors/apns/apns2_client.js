// npm's apns2: sends what standard input says and prints what became of each, as JSON. A program of its
// own, for Node.js takes further CAs at its start only (NODE_EXTRA_CA_CERTS).
'use strict';
const fs = require('fs');
const {ApnsClient, Notification} = require('apns2');

async function main() {
  const {host, credentials, topic, messages} = JSON.parse(fs.readFileSync(0, 'utf8'));
  const client = new ApnsClient({
    host, team: credentials.team_id, keyId: credentials.key_id,
    signingKey: credentials.private_key_pem, defaultTopic: topic,
  });
  const results = await Promise.all(messages.map(async ({token, text, topic}) => {
    try {
      await client.send(new Notification(token, {alert: text, ...(topic && {topic})}));
      return 'sent';
    } catch (error) {
      return error.reason || String(error);
    }
  }));
  await client.close();
  console.log(JSON.stringify(results));
}

main();
