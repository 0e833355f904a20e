// What a backend that sends much through a client library of APNs can rely on: each promise is
// kept, none is lost, and with ids none comes twice, whatever dies. Over the daemons. Run by
// clients_test.sh.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const {after, before, test} = require('node:test');
const apn = require('@parse/node-apn');
const {Backend, notification, reasonOf, until} = require('./backend');

// A mailbox holds 100 messages of an app, so that so many apps hold a burst even if the phone
// sleeps.
const BURST = 5000;
const APPS = BURST / 100;
// Sends under way while something dies.
const WORKERS = 32;
const LOAD = 1500;
// node-apn now and then forgets a send whose connection dies while it is being made.
const SEND_DEADLINE_MS = 20000;

const backend = new Backend();
const apps = [];

before(async () => {
  await backend.start({separate: true});
  for (let i = 0; i < APPS; ++i) apps.push(await backend.startApp(`com.example.app${i}`));
});

after(() => backend.end());

// One for each name, to the apps in turn, with an id of its own.
function orders(prefix, count) {
  return Array.from({length: count}, (_, i) => {
    const app = apps[i % APPS];
    return {text: `${prefix} ${i}`, topic: app.id, token: app.token, app, id: crypto.randomUUID()};
  });
}

function noteOf({text, topic, id}) {
  return notification(text, {topic, id});
}

// Each text came, once, to its app and to no other.
async function ledgerAgrees(prefix, sent) {
  const count = app => app.texts().filter(text => text.startsWith(`${prefix} `)).length;
  const total = () => apps.reduce((sum, app) => sum + count(app), 0);
  await until(`${sent.length} messages of ${prefix}`, () => total() >= sent.length);
  for (const app of apps) {
    const came = app.texts().filter(text => text.startsWith(`${prefix} `));
    const expected = sent.filter(order => order.app === app).map(order => order.text);
    assert.deepStrictEqual([...came].sort(), [...expected].sort());
  }
}

// What became of each of many that are sent at once: nothing but 'sent'.
function allSent(answers) {
  assert.strictEqual(answers.length, BURST);
  assert.deepStrictEqual(answers.filter(answer => answer !== 'sent').slice(0, 5), []);
}

async function burst(prefix, from) {
  const all = orders(prefix, BURST);
  const answers = await Promise.all(all.map(async order => {
    const {sent, failed} = await from.send(noteOf(order), order.token);
    assert.strictEqual(sent.length + failed.length, 1);
    if (failed.length === 1) return reasonOf(failed[0]);
    assert.strictEqual(sent[0]['apns-id'], order.id);
    return 'sent';
  }));
  allSent(answers);
  await from.shutdown();
  await ledgerAgrees(prefix, all);
}

test('5,000 at once through one connection of node-apn', async () => {
  await burst('provider', backend.provider());
});

test('5,000 at once through node-apn\'s pool', async () => {
  await burst('pool', new apn.MultiProvider({...backend.options(), clientCount: 8}));
});

test('5,000 at once through apns2', async context => {
  if (!backend.canHave443) return backend.skipped(context, 'port 443 is not for this user');
  const all = orders('apns2', BURST);
  allSent(await backend.runApns2(all.map(({text, topic, token}) => ({text, topic, token}))));
  await ledgerAgrees('apns2', all);
});

test('5,000 at once through aioapns', async () => {
  const all = orders('aioapns', BURST);
  allSent(await backend.runAioapns(all.map(({text, topic, token}) => ({text, topic, token}))));
  await ledgerAgrees('aioapns', all);
});

// As a careful backend sends: what is not answered in time may be sent again under its id.
async function sendInTime(provider, order) {
  let timer;
  const late = new Promise(done => {
    timer = setTimeout(() => done({sent: [], failed: [{error: 'no answer'}]}), SEND_DEADLINE_MS);
  });
  try {
    return await Promise.race([provider.send(noteOf(order), order.token), late]);
  } finally {
    clearTimeout(timer);
  }
}

// Backends of today: many Sends under way, each tried again under its id until it is taken. Answers
// what failures said, each once.
async function sendThrough(prefix, disaster) {
  const provider = backend.provider();
  const all = orders(prefix, LOAD);
  const failures = new Set();
  let next = 0;
  let done = 0;
  let struck;
  const worker = async () => {
    while (next < all.length) {
      const order = all[next++];
      for (;;) {
        const {sent, failed} = await sendInTime(provider, order);
        assert.strictEqual(sent.length + failed.length, 1);
        if (sent.length === 1) break;
        failures.add(reasonOf(failed[0]));
        // As the server asks; a backend of node-apn's has nothing but its own patience.
        await new Promise(wait => setTimeout(wait, 100));
      }
      if (++done === LOAD / 3) struck = disaster();
    }
  };
  await Promise.all(Array.from({length: WORKERS}, worker));
  await struck;
  await provider.shutdown();
  await ledgerAgrees(prefix, all);
  return failures;
}

async function die(name, signal) {
  await backend.world.stop(backend[name], signal);
  await backend.startServer();
}

test('a gateway that is stopped under load: none is lost, none comes twice', async () => {
  await sendThrough('stopped', () => die('gateway', 'SIGTERM'));
});

test('a gateway that is killed under load: none is lost, none comes twice', async () => {
  const failures = await sendThrough('gateway', () => die('gateway', 'SIGKILL'));
  assert.ok(failures.size > 0, 'some were under way');
});

test('a registry that is killed under load: 503 is retried, none is lost, none comes twice',
     async () => {
       const failures = await sendThrough('registry', () => die('registry', 'SIGKILL'));
       assert.ok(failures.has('ServiceUnavailable'), [...failures].join());
     });

test('a connector that is killed under load: none is lost, none comes twice', async () => {
  await sendThrough('connector', () => die('connector', 'SIGKILL'));
});
