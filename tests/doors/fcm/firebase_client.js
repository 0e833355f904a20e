// npm's firebase-admin: does what lines of JSON on standard input say, and answers a line each. A
// program of its own, since Node.js takes further CAs at its start only (NODE_EXTRA_CA_CERTS).
'use strict';
const fs = require('fs');
const readline = require('readline');
const {cert, initializeApp} = require('firebase-admin/app');
const {getMessaging} = require('firebase-admin/messaging');

const BATCH_DEADLINE_MS = 30000;
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

// A batch whose session ended early still says what became of each.
async function sendEach(messages, dryRun) {
  try {
    return (await getMessaging(app).sendEach(messages, dryRun)).responses.map(flat);
  } catch (error) {
    if (!error.pendingBatchResponse) throw error;
    return (await error.pendingBatchResponse).responses.map(flat);
  }
}

// firebase-admin waits for ever for a batch whose connection ends without GOAWAY and without an
// error, as it does when the kernel closes it for a process that was killed.
function withDeadline(batch) {
  let timer;
  const late = new Promise(done => timer = setTimeout(() => done('unsettled'), BATCH_DEADLINE_MS));
  return Promise.race([batch, late]).finally(() => clearTimeout(timer));
}

const commands = {
  begin,
  clock: ({behind}) => redirected.setBehind(behind),
  sends: () => redirected.sends,
  token: async () => (await app.options.credential.getAccessToken()).access_token,
  send: ({message, dryRun}) => getMessaging(app).send(message, dryRun),
  sendEach: ({messages, dryRun}) => withDeadline(sendEach(messages, dryRun)),
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
