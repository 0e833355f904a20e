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
// node-apn now and then never answers once its connection has died.
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

// Sends until each is taken: a busy server refuses some at first.
async function sendAll(all, send) {
  for (let left = all; left.length > 0;) {
    const answers = await send(left);
    assert.strictEqual(answers.length, left.length);
    const others = answers.filter(answer => !['sent', 'ServiceUnavailable'].includes(answer));
    assert.deepStrictEqual(others.slice(0, 5), []);
    left = left.filter((_, i) => answers[i] !== 'sent');
  }
}

async function burst(prefix, from) {
  const all = orders(prefix, BURST);
  await sendAll(all, some => Promise.all(some.map(async order => {
    const {sent, failed} = await from.send(noteOf(order), order.token);
    assert.strictEqual(sent.length + failed.length, 1);
    if (failed.length === 1) return reasonOf(failed[0]);
    assert.strictEqual(sent[0]['apns-id'], order.id);
    return 'sent';
  })));
  await from.shutdown();
  await ledgerAgrees(prefix, all);
}

test('5,000 at once through one connection of node-apn', async () => {
  await burst('provider', backend.provider());
});

test('5,000 at once through node-apn\'s pool', async () => {
  await burst('pool', new apn.MultiProvider({...backend.options(), clientCount: 8}));
});

// Through a client that doesn't know ids.
async function burstThrough(prefix, run) {
  const all = orders(prefix, BURST);
  await sendAll(all, some => run(some.map(({text, topic, token}) => ({text, topic, token}))));
  await ledgerAgrees(prefix, all);
}

test('5,000 at once through apns2', async context => {
  if (!backend.canHave443) return backend.skipped(context, 'port 443 is not for this user');
  await burstThrough('apns2', messages => backend.runApns2(messages));
});

test('5,000 at once through aioapns', async () => {
  await burstThrough('aioapns', messages => backend.runAioapns(messages));
});

// What it answers, or `otherwise` after SEND_DEADLINE_MS.
async function inTime(promise, what, otherwise) {
  let timer;
  const late = new Promise(done => {
    timer = setTimeout(() => {
      console.log(`node-apn left unanswered: ${what}`);
      done(otherwise);
    }, SEND_DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// Backends of today: many Sends under way, each tried again under its id until it is taken. Answers
// what failures said, each once.
async function sendThrough(prefix, disaster) {
  let provider = backend.provider();
  const all = orders(prefix, LOAD);
  const failures = new Set();
  let next = 0;
  let done = 0;
  let struck;
  const worker = async () => {
    while (next < all.length) {
      const order = all[next++];
      for (;;) {
        const asked = provider;
        const {sent, failed} = await inTime(asked.send(noteOf(order), order.token), 'a send',
                                            {sent: [], failed: [{error: 'no answer'}]});
        assert.strictEqual(sent.length + failed.length, 1);
        if (sent.length === 1) break;
        // As a careful backend: under the same id, through a client that is not stuck.
        if (failed[0].error === 'no answer' && provider === asked) provider = backend.provider();
        failures.add(reasonOf(failed[0]));
        // As the server asks; a backend of node-apn's has nothing but its own patience.
        await new Promise(wait => setTimeout(wait, 100));
      }
      if (++done === LOAD / 3) struck = disaster();
    }
  };
  await Promise.all(Array.from({length: WORKERS}, worker));
  await struck;
  await inTime(provider.shutdown(), 'the end of a client');
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
