// npm's firebase-admin: does what lines of JSON on standard input say, and answers a line each. A
// program of its own, since Node.js takes further CAs at its start only (NODE_EXTRA_CA_CERTS).
'use strict';
const fs = require('fs');
const readline = require('readline');
const {cert, initializeApp} = require('firebase-admin/app');
const {getMessaging} = require('firebase-admin/messaging');

const account = process.argv[2];
let apps = 0;
let app;

// The client of a process that has just begun: nothing is remembered.
function begin() {
  const credential = cert(JSON.parse(fs.readFileSync(account, 'utf8')));
  app = initializeApp({credential}, `app ${++apps}`);
}

function flat(response) {
  if (response.error) return response.error.code;
  return response.messageId;
}

const commands = {
  begin,
  clock: ({behind}) => redirected.setBehind(behind),
  sends: () => redirected.sends,
  token: async () => (await app.options.credential.getAccessToken()).access_token,
  send: ({message, dryRun}) => getMessaging(app).send(message, dryRun),
  // A batch whose session ended early still says what became of each.
  sendEach: async ({messages, dryRun}) => {
    try {
      return (await getMessaging(app).sendEach(messages, dryRun)).responses.map(flat);
    } catch (error) {
      if (!error.pendingBatchResponse) throw error;
      return (await error.pendingBatchResponse).responses.map(flat);
    }
  },
  multicast: async ({message, dryRun}) =>
      (await getMessaging(app).sendEachForMulticast(message, dryRun)).responses.map(flat),
  subscribe: ({tokens, topic}) => getMessaging(app).subscribeToTopic(tokens, topic),
  unsubscribe: ({tokens, topic}) => getMessaging(app).unsubscribeFromTopic(tokens, topic),
};

begin();
readline.createInterface({input: process.stdin}).on('line', async line => {
  const {id, command, ...order} = JSON.parse(line);
  try {
    const answer = await commands[command](order);
    process.stdout.write(JSON.stringify({id, answer}) + '\n');
  } catch (error) {
    process.stdout.write(JSON.stringify({id, error: error.code || String(error),
                                         message: error.message}) + '\n');
  }
}).on('close', () => process.exit(0));
