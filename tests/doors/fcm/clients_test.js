// Client libraries of FCM → bellwire's daemons → bellwire-agent → an app. Nothing of the first is
// changed. Run by clients_test.sh.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const https = require('https');
const net = require('net');
const path = require('path');
const readline = require('readline');
const {spawn, spawnSync} = require('child_process');
const {after, before, test} = require('node:test');
const {World, until} = require('../firefox/world');

const APP = 'com.example.mail';
const DYING_APP = 'com.example.dying';
const FOREIGN_APP = 'org.example.chat';
const NO_TOKEN = '00'.repeat(49);
// Nobody else's: FCM's clients know port 443 only.
const HERE = `127.${crypto.randomInt(1, 255)}.${crypto.randomInt(256)}.${crypto.randomInt(1, 255)}`;
const NAMES = ['fcm.googleapis.com', 'iid.googleapis.com', 'oauth2.googleapis.com',
               'www.googleapis.com', HERE];
// In bursts of FCM's largest batch.
const BATCH = 500;
const BURST = 5000;

let world;
let canHave443;
const addresses = {};
let account;
let project;
let app;
let otherApp;
let foreignToken;
let dyingToken;
let firebase;

function skipped(context, why) {
  console.log(`SKIPPED: ${context.name}: ${why}`);
  assert.ok(!process.env.BELLWIRE_NO_SKIPPED_DOORS, `a skipped door: ${why}`);
  context.skip(why);
}

function canListen(port, host) {
  return new Promise(answer => {
    const server = net.createServer();
    server.once('error', () => answer(false));
    server.listen(port, host, () => server.close(() => answer(true)));
  });
}

// Starts one of the daemons, on the addresses that it had.
async function start(name, program, listens, ...more) {
  const ready = `${name}.json`;
  fs.rmSync(world.path(ready), {force: true});
  const old = addresses[name] || {};
  const args = ['--data_dir', world.path('data'), '--ready_file', world.path(ready), ...more];
  for (const [flag, key] of Object.entries(listens)) args.push(flag, old[key] || '127.0.0.1:0');
  world[name] = world.start(name, program, args);
  addresses[name] = await world.readyFile(ready, world[name]);
}

const startRegistry = () => start('registry', 'bellwire-registry', {'--listen': 'internal_address'});
const startConnector = () => start(
    'connector', 'bellwire-connector',
    {'--listen': 'device_address', '--internal_listen': 'internal_address'},
    '--registry_address', addresses.registry.internal_address);
const startGateway = () => start(
    'gateway', 'bellwire-gateway', {'--listen': 'provider_address'},
    '--registry_address', addresses.registry.internal_address, '--drain_seconds', '5',
    '--https_listen', `${HERE}:443`, '--public_url', `https://${HERE}`);

function cli(...args) {
  return world.run('bellwire', [...args, '--server', addresses.gateway.provider_address,
                                '--data_dir', world.path('data')]);
}

// An app on the phone: its token, and the messages it was given, in order.
async function startApp(id) {
  const child = spawn('bellwire', ['listen', '--app', id, '--socket', world.agentSocket, '--json'],
                      {stdio: ['ignore', 'pipe', 'inherit']});
  child.ended = new Promise(done => child.once('exit', done));
  world.processes.push(child);
  const lines = [];
  readline.createInterface({input: child.stdout}).on('line', line => lines.push(JSON.parse(line)));
  await until(`the token of ${id}`, () => lines.some(line => line.token));
  const messages = () =>
      lines.filter(line => line.payload !== undefined).map(line => JSON.parse(line.payload));
  return {
    token: lines.find(line => line.token).token,
    messages,
    texts: () => messages().map(message => message.data && message.data.text),
  };
}

// A client that lives as long as the test, and does what it is told.
function startFirebase() {
  const child = spawn(
      process.execPath,
      ['--require', path.join(__dirname, 'redirect.js'), path.join(__dirname, 'firebase_client.js'),
       account],
      {stdio: ['pipe', 'pipe', 'inherit'],
       env: {...process.env, FCM_REDIRECT: HERE,
             NODE_EXTRA_CA_CERTS: world.path('data/ca.pem')}});
  child.ended = new Promise(done => child.once('exit', done));
  world.processes.push(child);
  const waiting = new Map();
  readline.createInterface({input: child.stdout}).on('line', line => {
    const answer = JSON.parse(line);
    waiting.get(answer.id)(answer);
    waiting.delete(answer.id);
  });
  let last = 0;
  // {answer} or {error, message}.
  const ask = (command, order = {}) => new Promise(done => {
    waiting.set(++last, done);
    child.stdin.write(JSON.stringify({id: last, command, ...order}) + '\n');
  });
  // What it answers, or the code of its error.
  const tell = async (command, order) => {
    const {answer, error} = await ask(command, order);
    return error || answer;
  };
  return {
    ask, tell,
    send: (message, dryRun) => tell('send', {message, dryRun}),
    sendEach: (messages, dryRun) => tell('sendEach', {messages, dryRun}),
  };
}

function message(text, more = {}) {
  return {token: app.token, data: {text}, ...more};
}

const isName = answer => new RegExp(`^projects/${project}/messages/[0-9a-f-]{36}$`).test(answer);

// The status of a request with this access token.
function askRaw(token) {
  return new Promise((done, fail) => {
    const request = https.request({
      host: HERE, port: 443, method: 'POST', path: `/v1/projects/${project}/messages:send`,
      ca: fs.readFileSync(world.path('data/ca.pem')), headers: {authorization: `Bearer ${token}`},
    }, response => {
      let body = '';
      response.on('data', data => body += data).on('end', () => done(
          {status: response.statusCode, error: JSON.parse(body).error}));
    });
    request.on('error', fail).end('{}');
  });
}

before(async () => {
  world = new World();
  canHave443 = await canListen(443, HERE);
  if (!canHave443) return;
  world.run('bellwire', ['init', '--data_dir', world.path('data'), '--server_name', '127.0.0.1',
                         ...NAMES.flatMap(name => ['--server_name', name])]);
  await startRegistry();
  await startConnector();
  await startGateway();
  world.device = addresses.connector.device_address;
  project = JSON.parse(cli('team', 'create', 'Example', '--json')).team_id;
  const stranger = JSON.parse(cli('team', 'create', 'Stranger', '--json')).team_id;
  for (const [id, team] of [[APP, project], ['com.example.other', project], [DYING_APP, project],
                            [FOREIGN_APP, stranger]]) {
    cli('app', 'create', id, '--team', team, '--overflow', 'refuse_newest');
  }
  account = world.path('service-account.json');
  cli('key', 'create', '--fcm', project, account);
  await world.startAgent();
  app = await startApp(APP);
  otherApp = await startApp('com.example.other');
  foreignToken = (await startApp(FOREIGN_APP)).token;
  dyingToken = (await startApp(DYING_APP)).token;
  cli('app', 'delete', DYING_APP);
  firebase = startFirebase();
});

after(() => world.end());

test('firebase-admin sends, and the app gets what was for it', async context => {
  if (!canHave443) return skipped(context, 'port 443 is not for this user');
  const answer = await firebase.send(message('first', {
    notification: {title: 'Mail', body: 'You have mail', imageUrl: 'https://example.com/a.png'},
    android: {
      collapseKey: 'k', priority: 'high', ttl: 3600500,
      notification: {
        icon: 'i', color: '#112233', titleLocKey: 't', titleLocArgs: ['a'], eventTimestamp: undefined,
        vibrateTimingsMillis: [100, 50], priority: 'max', visibility: 'public', notificationCount: 3,
        lightSettings: {color: '#aabbccdd', lightOnDurationMillis: 100, lightOffDurationMillis: 50},
      },
      fcmOptions: {analyticsLabel: 'label'},
    },
    webpush: {headers: {Urgency: 'high'}, notification: {title: 'w', requireInteraction: true}},
    apns: {headers: {'apns-priority': '10'},
           payload: {aps: {alert: {title: 'a', locKey: 'l'}, badge: 1, contentAvailable: true}}},
    fcmOptions: {analyticsLabel: 'label'},
  }));
  assert.ok(isName(answer), answer);
  await until('the message', () => app.messages().length >= 1);
  const [got] = app.messages();
  assert.deepStrictEqual(got.data, {text: 'first'});
  assert.deepStrictEqual(got.notification, {title: 'Mail', body: 'You have mail',
                                            image: 'https://example.com/a.png'});
  assert.strictEqual(got.token, undefined);
  assert.strictEqual(got.android.collapseKey, undefined);
  assert.strictEqual(got.android.notification.notificationPriority, 'PRIORITY_MAX');
  assert.strictEqual(got.apns.payload.aps['content-available'], 1);
  assert.deepStrictEqual(got.webpush.notification, {title: 'w', requireInteraction: true});
});

test('firebase-admin is told FCM\'s errors', async context => {
  if (!canHave443) return skipped(context, 'port 443 is not for this user');
  const seen = app.messages().length;
  const expected = {
    'messaging/registration-token-not-registered': {token: dyingToken},
    'messaging/mismatched-credential': {token: foreignToken},
    'messaging/invalid-argument': {token: NO_TOKEN},
  };
  for (const dryRun of [false, true]) {
    for (const [code, target] of Object.entries(expected)) {
      assert.strictEqual(await firebase.send(message('x', target), dryRun), code);
    }
  }
  const why = await firebase.ask('send', {message: message('x', {token: NO_TOKEN})});
  assert.match(why.message, /not a valid FCM registration token/);
  for (const bad of [
    message('x'.repeat(5000)), message('x', {data: {from: 'me'}}),
    message('x', {android: {ttl: 29 * 24 * 3600 * 1000}}), message('x', {android: {nope: 1}}),
  ]) {
    assert.strictEqual(await firebase.send(bad), 'messaging/invalid-argument');
  }
  assert.deepStrictEqual(
      await firebase.sendEach([
        message('in a batch'), ...Object.values(expected).map(target => message('x', target)),
      ]).then(answers => answers.map(answer => isName(answer) ? 'sent' : answer)),
      ['sent', ...Object.keys(expected)]);
  // A dry run stores nothing.
  assert.strictEqual(await firebase.send(message('dry'), true),
                     `projects/${project}/messages/fake_message_id`);
  const many = await firebase.tell('multicast', {
    message: {tokens: [app.token, otherApp.token, NO_TOKEN], data: {text: 'to many'}},
  });
  assert.deepStrictEqual(many.map(isName), [true, true, false]);
  await until('the messages', () => app.texts().includes('to many'));
  assert.deepStrictEqual(app.texts().slice(seen), ['in a batch', 'to many']);
  await until('the other app\'s', () => otherApp.texts().includes('to many'));
});

test('an access token that has expired is replaced by itself', async context => {
  if (!canHave443) return skipped(context, 'port 443 is not for this user');
  // A client whose clock is nearly an hour behind: its first token lives for seconds only.
  const client = startFirebase();
  await client.tell('clock', {behind: 3600 - 10});
  await client.tell('begin');
  const token = await client.tell('token');
  assert.match(token, /^bwf_/);
  assert.strictEqual((await askRaw(token)).status, 400);
  await until('its end', async () => (await askRaw(token)).status === 401);
  const {error} = await askRaw(token);
  assert.strictEqual(error.status, 'UNAUTHENTICATED');
  assert.strictEqual(error.details[0].reason, 'EXPIRED_CREDENTIAL');
  await client.tell('clock', {behind: 0});
  assert.ok(isName(await client.send(message('with a new token'))));
  await until('its message', () => app.texts().includes('with a new token'));
});

test('topics: subscribed, sent to, by condition, and left', async context => {
  if (!canHave443) return skipped(context, 'port 443 is not for this user');
  const tokens = [app.token, otherApp.token, dyingToken, foreignToken, NO_TOKEN];
  const added = await firebase.tell('subscribe', {tokens, topic: 'news'});
  assert.strictEqual(added.successCount, 2);
  assert.deepStrictEqual(
      added.errors.map(({index, error}) => [index, error.code]),
      [[2, 'messaging/registration-token-not-registered'], [3, 'messaging/authentication-error'],
       [4, 'messaging/invalid-registration-token']]);
  await firebase.tell('subscribe', {tokens: [app.token], topic: 'sport'});
  assert.ok(isName(await firebase.send({topic: 'news', data: {text: 'to a topic'}})));
  await until('it at both', () => [app, otherApp].every(a => a.texts().includes('to a topic')));
  const condition = '\'news\' in topics && !(\'sport\' in topics)';
  assert.ok(isName(await firebase.send({condition, data: {text: 'by condition'}})));
  assert.ok(isName(await firebase.send({topic: 'news', data: {text: 'dry'}}, false)));
  assert.strictEqual(await firebase.send({condition: '\'news\' in', data: {text: 'x'}}),
                     'messaging/invalid-argument');
  await until('it at one', () => otherApp.texts().includes('by condition'));
  await until('what came behind it', () => app.texts().includes('dry'));
  assert.ok(!app.texts().includes('by condition'));
  const removed = await firebase.tell('unsubscribe', {tokens: [app.token], topic: 'news'});
  assert.deepStrictEqual([removed.successCount, removed.failureCount], [1, 0]);
  assert.ok(isName(await firebase.send({topic: 'news', data: {text: 'to the rest'}})));
  assert.ok(isName(await firebase.send({topic: 'sport', data: {text: 'to sport'}})));
  await until('it at the other', () => otherApp.texts().includes('to the rest'));
  await until('the last', () => app.texts().includes('to sport'));
  assert.ok(!app.texts().includes('to the rest'));
});

test('a full mailbox is 429, which no client repeats by itself', async context => {
  if (!canHave443) return skipped(context, 'port 443 is not for this user');
  // A phone that says nothing.
  world.agent.kill('SIGSTOP');
  const texts = Array.from({length: 120}, (_, i) => `full ${i}`);
  const answers = await firebase.sendEach(texts.map(text => message(text)));
  const sent = texts.filter((_, i) => isName(answers[i]));
  assert.strictEqual(sent.length, 100);
  assert.deepStrictEqual([...new Set(answers.filter(answer => !isName(answer)))],
                         ['messaging/message-rate-exceeded']);
  world.agent.kill('SIGCONT');
  await until('those', () => sent.every(text => app.texts().includes(text)));
});

test('503 while the registry is away is repeated by itself', async context => {
  if (!canHave443) return skipped(context, 'port 443 is not for this user');
  await world.stop(world.registry, 'SIGKILL');
  // The clients give up after four repetitions: then it is for their caller to go on.
  let calls = 0;
  const sendUntilSent = async (text, send) => {
    for (;;) {
      ++calls;
      const answer = await send(message(text));
      if (isName(answer)) return;
      assert.strictEqual(answer, 'messaging/server-unavailable');
    }
  };
  const before = (await firebase.tell('sends')).asked;
  const sending = [
    sendUntilSent('through the dark', firebase.send),
    sendUntilSent('a batch through the dark',
                  async one => (await firebase.sendEach([one]))[0]),
  ];
  await until('a repetition by itself', async () =>
      (await firebase.tell('sends')).asked - before > calls);
  await startRegistry();
  await Promise.all(sending);
  await until('both', () => ['through the dark', 'a batch through the dark'].every(
      text => app.texts().includes(text)));
});

// Sends until each was accepted, as a backend does that is told to slow down. Answers what else it
// was told.
async function sendAll(texts) {
  const others = [];
  let left = texts;
  while (left.length > 0) {
    const batches = [];
    for (let i = 0; i < left.length; i += BATCH) batches.push(left.slice(i, i + BATCH));
    const answers = (await Promise.all(batches.map(
        batch => firebase.sendEach(batch.map(text => message(text)))))).flat();
    assert.strictEqual(answers.length, left.length);
    others.push(...answers.filter(answer => !isName(answer) &&
                                            answer !== 'messaging/message-rate-exceeded'));
    left = left.filter((_, i) => !isName(answers[i]));
  }
  return others;
}

test(`a burst of ${BURST}: each promise is kept`, async context => {
  if (!canHave443) return skipped(context, 'port 443 is not for this user');
  const before = await firebase.tell('sends');
  const texts = Array.from({length: BURST}, (_, i) => `burst ${i}`);
  assert.deepStrictEqual(await sendAll(texts), []);
  const after = await firebase.tell('sends');
  const came = () => app.texts().filter(text => text && text.startsWith('burst '));
  await until('the burst', () => new Set(came()).size >= BURST);
  const lost = (after.asked - after.answered) - (before.asked - before.answered);
  assert.strictEqual(new Set(came()).size, BURST);
  assert.ok(came().length - BURST <= lost, `${came().length - BURST} twice, ${lost} lost answers`);
});

test('the gateway is started anew under load: each promise is kept', async context => {
  if (!canHave443) return skipped(context, 'port 443 is not for this user');
  const before = await firebase.tell('sends');
  const accepted = new Set();
  let stop = false;
  const ends = {one: 0, batch: 0};
  let unsettled = 0;
  const load = kind => (async () => {
    for (let i = 0; !stop; ++i) {
      const texts = Array.from({length: kind === 'one' ? 1 : 20}, (_, j) => `anew ${kind} ${i} ${j}`);
      const answers = kind === 'one' ? [await firebase.send(message(texts[0]))]
                                     : await firebase.sendEach(texts.map(text => message(text)));
      // A batch may be refused as a whole: firebase-admin takes the end of a connection for one.
      if (Array.isArray(answers)) {
        texts.forEach((text, j) => isName(answers[j]) && accepted.add(text));
      }
      if (answers === 'unsettled') ++unsettled;
      ++ends[kind];
    }
  })();
  const loads = [load('one'), load('batch')];
  try {
    await until('load', () => accepted.size >= 100);
    const restart = async signal => {
      await world.stop(world.gateway, signal);
      await startGateway();
      const size = accepted.size;
      await until('load after it', () => accepted.size >= size + 100);
    };
    for (let i = 0; i < 5; ++i) await restart('SIGTERM');
    // Whatever was asked before a drain is answered, or refused.
    const asked = {...ends};
    await until('an end of all that was asked', () => ends.one > asked.one && ends.batch > asked.batch);
    assert.strictEqual(unsettled, 0);
    await restart('SIGKILL');
  } finally {
    stop = true;
  }
  await Promise.all(loads);
  const after = await firebase.tell('sends');
  const came = () => app.texts().filter(text => text && text.startsWith('anew '));
  await until('what was accepted', () => {
    const have = new Set(came());
    return [...accepted].every(text => have.has(text));
  });
  const lost = (after.asked - after.answered) - (before.asked - before.answered);
  const twice = came().length - new Set(came()).size;
  assert.ok(twice <= lost, `${twice} twice, ${lost} lost answers`);
});

test('@googleapis/fcm sends, and is told FCM\'s errors', async context => {
  if (!canHave443) return skipped(context, 'port 443 is not for this user');
  for (const root of [undefined, `https://${HERE}/`]) {
    const text = `googleapis ${root}`;
    const ran = spawnSync(
        process.execPath,
        ['--require', path.join(__dirname, 'redirect.js'),
         path.join(__dirname, 'googleapis_client.js')],
        {input: JSON.stringify({account, root, messages: [
          {message: message(text, {android: {collapseKey: 'c', ttl: '3.5s', priority: 'HIGH'}})},
          {message: message('x', {token: dyingToken})}, {message: message('x', {token: foreignToken})},
          {message: message('x', {token: NO_TOKEN})}, {message: message('dry'), validateOnly: true},
          {message: message('x'.repeat(5000))},
        ]}),
         encoding: 'utf8', timeout: 60000,
         env: {...process.env, FCM_REDIRECT: HERE,
               NODE_EXTRA_CA_CERTS: world.path('data/ca.pem')}});
    assert.strictEqual(ran.status, 0, ran.stderr);
    const [sent, ...others] = JSON.parse(ran.stdout);
    assert.ok(isName(sent), sent);
    assert.deepStrictEqual(others, ['UNREGISTERED', 'SENDER_ID_MISMATCH', 'INVALID_ARGUMENT',
                                    `projects/${project}/messages/fake_message_id`,
                                    'INVALID_ARGUMENT']);
    await until('its message', () => app.texts().includes(text));
  }
});

test('apprise notifies a device and a topic', async context => {
  if (!canHave443) return skipped(context, 'port 443 is not for this user');
  const notify = target => spawnSync(
      'apprise', ['-vv', '-t', 'A title', '-b', 'A body',
                  `fcm://${project}/${target}/?keyfile=${account}&priority=high&+text=apprise`],
      {encoding: 'utf8', timeout: 60000,
       env: {...process.env, FCM_REDIRECT: HERE, PYTHONPATH: path.join(__dirname, 'redirect'),
             REQUESTS_CA_BUNDLE: world.path('data/ca.pem')}});
  const seen = app.messages().length;
  const sent = notify(app.token);
  assert.strictEqual(sent.status, 0, sent.stdout + sent.stderr);
  await until('its message', () => app.messages().length > seen);
  const got = app.messages()[seen];
  assert.deepStrictEqual(got.notification, {title: 'A title', body: 'A body'});
  assert.deepStrictEqual(got.data, {text: 'apprise'});
  assert.strictEqual(notify(dyingToken).status, 1);
  await firebase.tell('subscribe', {tokens: [app.token], topic: 'apprise'});
  assert.strictEqual(notify('%23apprise').status, 0);
  await until('its message', () => app.messages().length > seen + 1);
});

test('a key that is revoked is refused', async context => {
  if (!canHave443) return skipped(context, 'port 443 is not for this user');
  const token = await firebase.tell('token');
  assert.strictEqual((await askRaw(token)).status, 400);
  cli('key', 'revoke', JSON.parse(fs.readFileSync(account, 'utf8')).private_key_id);
  await until('its end', async () => (await askRaw(token)).status === 401);
  const client = startFirebase();
  assert.match((await client.ask('send', {message: message('x')})).error, /invalid-credential/);
});
