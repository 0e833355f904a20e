// Client libraries of APNs → bellwire serve → bellwire-agent → an app. Nothing of the first is changed.
// Run by clients_test.sh.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const http2 = require('http2');
const {after, before, test} = require('node:test');
const apn = require('@parse/node-apn');
const {Backend, NO_TOKEN, TOPIC, notification, reasonOf, send, until} = require('./backend');

const OTHER_TOPIC = 'com.example.chat';
const FOREIGN_TOPIC = 'com.example.foreign';
const DEAD_TOPIC = 'com.example.dead';

const backend = new Backend();
let app;
let otherToken;
let foreignToken;
let deadToken;
// By each client; the topic is the token's.
let cases;

before(async () => {
  await backend.start();
  app = await backend.startApp(TOPIC);
  otherToken = (await backend.startApp(OTHER_TOPIC)).token;
  const {team_id: foreign} =
      JSON.parse(backend.cli('team', 'create', 'Foreign', '--json'));
  foreignToken = (await backend.startApp(FOREIGN_TOPIC, {team: foreign})).token;
  deadToken = (await backend.startApp(DEAD_TOPIC)).token;
  await backend.unregister(DEAD_TOPIC);
  // The agent tells the server when it can.
  const provider = backend.provider();
  await until('the token\'s death', async () => {
    const note = notification('x', {topic: DEAD_TOPIC});
    return await send(provider, note, deadToken) === 'Unregistered';
  });
  await provider.shutdown();
});

after(() => backend.end());

const EXPECTED = ['sent', 'DeviceTokenNotForTopic', 'BadDeviceToken', 'Unregistered',
                  'TopicDisallowed', 'PayloadTooLarge'];

function messages(name) {
  return [
    {token: app.token, text: `${name} 1`},
    {token: otherToken, text: 'to another'},
    {token: NO_TOKEN, text: 'to nobody'},
    {token: deadToken, text: 'to the dead', topic: DEAD_TOPIC},
    {token: foreignToken, text: 'to another team\'s', topic: FOREIGN_TOPIC},
    {token: app.token, text: 'x'.repeat(5000)},
  ];
}

test('tokens have the shape of APNs\'', () => {
  for (const token of [app.token, otherToken, deadToken]) assert.match(token, /^[0-9a-f]{160}$/);
});

test('node-apn sends, and is told APNs\' reasons', async () => {
  const provider = backend.provider();
  assert.strictEqual(await send(provider, notification('node-apn'), app.token), 'sent');
  const voip = notification('voip', {topic: `${TOPIC}.voip`, pushType: 'voip'});
  assert.strictEqual(await send(provider, voip, app.token), 'sent');
  const retried = notification('once', {id: crypto.randomUUID()});
  for (let i = 0; i < 2; ++i) assert.strictEqual(await send(provider, retried, app.token), 'sent');
  const refused = {
    BadDeviceToken: [notification('x'), NO_TOKEN],
    DeviceTokenNotForTopic: [notification('x'), otherToken],
    TopicDisallowed: [notification('x', {topic: FOREIGN_TOPIC}), foreignToken],
    MissingTopic: [notification('x', {topic: undefined}), app.token],
    PayloadTooLarge: [notification('x'.repeat(5000)), app.token],
    BadCollapseId: [notification('x', {collapseId: 'c'.repeat(65)}), app.token],
    BadMessageId: [notification('x', {id: 'x'}), app.token],
    BadPriority: [notification('x', {priority: 7}), app.token],
    InvalidPushType: [notification('x', {pushType: 'nope'}), app.token],
  };
  for (const [reason, [note, token]] of Object.entries(refused)) {
    assert.strictEqual(await send(provider, note, token), reason);
  }
  await provider.shutdown();
  const {privateKey} = crypto.generateKeyPairSync('ec', {namedCurve: 'P-256'});
  const another = privateKey.export({type: 'pkcs8', format: 'pem'});
  for (const wrong of [{key: another}, {keyId: 'AAAAAAAAAA'}, {teamId: 'AAAAAAAAAA'}]) {
    const stranger = backend.provider(wrong);
    assert.strictEqual(await send(stranger, notification('x'), app.token), 'InvalidProviderToken');
    await stranger.shutdown();
  }
  await until('the messages', () => app.texts().length >= 3);
  assert.deepStrictEqual(app.texts(), ['node-apn', 'voip', 'once']);
});

test('node-apn learns when a token died', async () => {
  const provider = backend.provider();
  const {failed} = await provider.send(notification('x', {topic: DEAD_TOPIC}), deadToken);
  await provider.shutdown();
  assert.strictEqual(failed[0].status, 410);
  assert.strictEqual(failed[0].response.reason, 'Unregistered');
  const age = Date.now() - failed[0].response.timestamp;
  assert.ok(age > -60e3 && age < 3600e3, `it died ${age} ms ago`);
});

test('node-apn\'s pool sends to many tokens at once', async () => {
  const pool = new apn.MultiProvider({...backend.options(), clientCount: 4});
  const tokens = [app.token, NO_TOKEN, ...Array(20).fill(app.token)];
  const {sent, failed} = await pool.send(notification('pool'), tokens);
  await pool.shutdown();
  assert.strictEqual(sent.length, 21);
  assert.deepStrictEqual(failed.map(reasonOf), ['BadDeviceToken']);
  await until('the messages', () => app.texts().filter(text => text === 'pool').length >= 21);
});

test('node-apn makes a new JWT by itself when the server finds it too old', async () => {
  const provider = backend.provider();
  const {token} = provider.client.config;
  const now = Date.now;
  let sending;
  try {
    // A machine whose clock is behind, until somebody mends it.
    Date.now = () => now() - 2 * 3600e3;
    token.regenerate(token.generation);
    assert.strictEqual(token.iat, null);
    sending = send(provider, notification('refreshed'), app.token);
    // It looks at the age of its JWT right before it sends it, long before the connection is there.
    await new Promise(done => setImmediate(done));
    assert.notStrictEqual(token.iat, null);
  } finally {
    Date.now = now;
  }
  const {generation} = token;
  assert.strictEqual(await sending, 'sent');
  assert.strictEqual(token.generation, generation + 1);
  await provider.shutdown();
  await until('the message', () => app.texts().includes('refreshed'));
});

test('what waits too long is 429, is retried at once, and none comes twice', async () => {
  const provider = backend.provider();
  backend.world.agent.kill('SIGSTOP');
  const names = Array.from({length: 110}, (_, i) => `full ${i}`);
  const answers = new Map();
  let refused = 0;
  try {
    for (const text of names) {
      const answer = await send(provider, notification(text, {id: crypto.randomUUID()}), app.token);
      answers.set(text, answer);
      if (answer !== 'sent') {
        assert.strictEqual(answer, 'TooManyRequests');
        ++refused;
      }
    }
  } finally {
    backend.world.agent.kill('SIGCONT');
  }
  await provider.shutdown();
  // 100 wait, and what the session had written to the phone before it slept.
  assert.ok(refused > 0);
  const sent = names.filter(text => answers.get(text) === 'sent');
  assert.ok(sent.length >= 100, `${sent.length}`);
  const came = () => app.texts().filter(text => text.startsWith('full '));
  await until('what was taken', () => came().length >= sent.length);
  assert.deepStrictEqual(came(), sent);
});

// As the connections of aioapns and of others begin: all at once, before any answer.
test('1,000 streams at once on one connection, with and without ALPN', async () => {
  const [host, port] = backend.ports.provider_address.split(':');
  const provider = backend.provider();
  const authorization = `bearer ${provider.client.config.token.current}`;
  await provider.shutdown();
  for (const ALPNProtocols of [['h2'], undefined]) {
    const session = http2.connect(`https://${host}:${port}`, {
      ca: fs.readFileSync(backend.world.path('data/ca.pem')),
      createConnection: ALPNProtocols ? undefined : () => require('tls').connect({
        host, port: Number(port), ca: fs.readFileSync(backend.world.path('data/ca.pem')),
      }),
    });
    let goaway = false;
    session.on('goaway', () => { goaway = true; });
    session.on('error', () => {});
    const settings = await new Promise(done => session.once('remoteSettings', done));
    assert.ok(settings.maxConcurrentStreams >= 1000, `${settings.maxConcurrentStreams}`);
    const statuses = await Promise.all(Array.from({length: 1000}, () => new Promise((done, failed) => {
      const stream = session.request({':method': 'POST', ':path': `/3/device/${NO_TOKEN}`,
                                      'apns-topic': TOPIC, authorization});
      let status;
      let body = '';
      stream.setEncoding('utf8');
      stream.on('response', headers => { status = `${headers[':status']} ${!!headers['apns-id']}`; });
      stream.on('data', data => { body += data; });
      stream.on('end', () => done(`${status} ${body}`));
      stream.on('error', failed);
      stream.end('{"aps":{}}');
    })));
    assert.deepStrictEqual(new Set(statuses), new Set(['400 true {"reason":"BadDeviceToken"}']));
    assert.ok(!goaway);
    session.close();
  }
});

test('apns2 sends, and is told APNs\' reasons', async context => {
  if (!backend.canHave443) return backend.skipped(context, 'port 443 is not for this user');
  assert.deepStrictEqual(await backend.runApns2(messages('apns2')), EXPECTED);
  await until('its message', () => app.texts().includes('apns2 1'));
});

test('aioapns sends, and is told APNs\' reasons', async () => {
  assert.deepStrictEqual(await backend.runAioapns(messages('aioapns')), EXPECTED);
  await until('its message', () => app.texts().includes('aioapns 1'));
});

test('a team that wants it has the newest message only', async () => {
  // Before its key is asked for: gateways know a key for 30 s.
  const {team_id: teamId} = JSON.parse(backend.cli('team', 'create', 'Newest', '--json'));
  backend.cli('team', 'set', teamId, '--apns_store_one', 'on');
  const key = backend.makeKey(teamId);
  const provider =
      backend.provider({key: key.private_key_pem, keyId: key.key_id, teamId});
  const app = await backend.startApp('com.example.newest', {team: teamId});
  const to = {topic: 'com.example.newest'};
  const answers = [];
  // Else it would be handed each message at once.
  await backend.world.stop(backend.world.agent);
  for (const {text, ...more} of [{text: 'old'}, {text: 'newer'}, {text: 'a', collapseId: 'a'},
                                 {text: 'b', collapseId: 'b'}, {text: 'newest'}]) {
    answers.push(await send(provider, notification(text, {...to, ...more}), app.token));
  }
  await backend.world.startAgent();
  await provider.shutdown();
  assert.deepStrictEqual([...new Set(answers)], ['sent']);
  await until('the newest', () => app.texts().includes('newest'));
  // A message with a collapse id of its own is replaced by its like alone.
  assert.deepStrictEqual(app.texts(), ['a', 'b', 'newest']);
});
