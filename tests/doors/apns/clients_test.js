// Client libraries of APNs → bellwire serve → bellwire-agent → an app. Nothing of the first is changed.
// Run by clients_test.sh.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const path = require('path');
const {spawn, spawnSync} = require('child_process');
const {after, before, test} = require('node:test');
const apn = require('@parse/node-apn');
const {World, until} = require('../firefox/world');

const TOPIC = 'com.example.mail';
const OTHER_TOPIC = 'com.example.chat';
const NO_TOKEN = '00'.repeat(48);
// In one burst of one connection, as a backend sends that has news for everybody.
const BURST = 500;
// Nobody else's: apns2 knows port 443 only.
const LONELY_HOST = `127.${crypto.randomInt(1, 255)}.${crypto.randomInt(256)}.${crypto.randomInt(1, 255)}`;

let world;
let ports;
let credentials;
let app;
let otherToken;
let canHave443;

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

async function startServer() {
  fs.rmSync(world.path('server.json'), {force: true});
  // The addresses that it had, when it is started anew.
  const https = canHave443 ? ['--https_listen', `${LONELY_HOST}:443`] : [];
  world.server = world.start('server', 'bellwire', [
    'serve', '--data_dir', world.path('data'), '--drain_seconds', '1',
    '--provider_listen', ports ? ports.provider_address : '127.0.0.1:0',
    '--device_listen', ports ? ports.device_address : '127.0.0.1:0',
    '--ready_file', world.path('server.json'), ...https,
  ]);
  ports = await world.readyFile('server.json', world.server);
  world.device = ports.device_address;
}

function cli(...args) {
  return world.run('bellwire', [...args, '--server', ports.provider_address, '--data_dir',
                                world.path('data')]);
}

// An app on the phone: its token, and the texts it was given, in order.
async function startApp(id) {
  const child = spawn('bellwire', ['listen', '--app', id, '--socket', world.agentSocket, '--json'],
                      {stdio: ['ignore', 'pipe', 'inherit']});
  child.ended = new Promise(done => child.once('exit', done));
  world.processes.push(child);
  const lines = [];
  let rest = '';
  child.stdout.on('data', data => {
    const parts = (rest + data).split('\n');
    rest = parts.pop();
    lines.push(...parts.map(line => JSON.parse(line)));
  });
  await until(`the token of ${id}`, () => lines.some(line => line.token));
  const textOf = line => JSON.parse(line.payload).aps.alert;
  return {
    token: lines.find(line => line.token).token,
    texts: () => lines.filter(line => line.payload !== undefined).map(textOf),
  };
}

function provider(token = {}) {
  const [host, port] = ports.provider_address.split(':');
  return new apn.Provider({
    address: host, port: Number(port), production: true,
    ca: [fs.readFileSync(world.path('data/ca.pem'))],
    token: {key: credentials.private_key_pem, keyId: credentials.key_id,
            teamId: credentials.team_id, ...token},
  });
}

function notification(text, more = {}) {
  return Object.assign(new apn.Notification({alert: text, topic: TOPIC, pushType: 'alert'}), more);
}

// 'sent', or the reason.
async function send(from, note, token) {
  const {sent, failed} = await from.send(note, token);
  assert.strictEqual(sent.length + failed.length, 1);
  if (sent.length === 1) return 'sent';
  return failed[0].response ? failed[0].response.reason : String(failed[0].error);
}

function messages(name) {
  return [
    {token: app.token, text: `${name} 1`}, {token: otherToken, text: 'to another'},
    {token: NO_TOKEN, text: 'to nobody'},
  ];
}

const EXPECTED = ['sent', 'DeviceTokenNotForTopic', 'BadDeviceToken'];

function runClient(program, args, order, environment = {}) {
  const ran = spawnSync(program, args, {
    input: JSON.stringify({credentials, topic: TOPIC, ...order}), encoding: 'utf8', timeout: 60000,
    env: {...process.env, ...environment},
  });
  assert.strictEqual(ran.status, 0, ran.stderr);
  return JSON.parse(ran.stdout);
}

before(async () => {
  world = new World();
  world.run('bellwire', ['init', '--data_dir', world.path('data'), '--server_name', '127.0.0.1',
                         '--server_name', LONELY_HOST]);
  canHave443 = await canListen(443, LONELY_HOST);
  await startServer();
  const {team_id: team} = JSON.parse(cli('team', 'create', 'Example', '--json'));
  for (const id of [TOPIC, OTHER_TOPIC]) {
    cli('app', 'create', id, '--team', team, '--overflow', 'refuse_newest');
  }
  cli('key', 'create', '--team', team, '--out', world.path('cred.json'));
  credentials = JSON.parse(fs.readFileSync(world.path('cred.json'), 'utf8'));
  await world.startAgent();
  app = await startApp(TOPIC);
  otherToken = (await startApp(OTHER_TOPIC)).token;
});

after(() => world.end());

test('node-apn sends, and is told APNs\' reasons', async () => {
  const backend = provider();
  assert.strictEqual(await send(backend, notification('node-apn'), app.token), 'sent');
  const voip = notification('voip', {topic: `${TOPIC}.voip`, pushType: 'voip'});
  assert.strictEqual(await send(backend, voip, app.token), 'sent');
  const retried = notification('once', {id: crypto.randomUUID()});
  for (let i = 0; i < 2; ++i) assert.strictEqual(await send(backend, retried, app.token), 'sent');
  const refused = {
    BadDeviceToken: [notification('x'), NO_TOKEN],
    DeviceTokenNotForTopic: [notification('x'), otherToken],
    MissingTopic: [notification('x', {topic: undefined}), app.token],
    PayloadTooLarge: [notification('x'.repeat(5000)), app.token],
    BadCollapseId: [notification('x', {collapseId: 'c'.repeat(65)}), app.token],
    BadMessageId: [notification('x', {id: 'x'}), app.token],
    BadPriority: [notification('x', {priority: 7}), app.token],
    InvalidPushType: [notification('x', {pushType: 'nope'}), app.token],
  };
  for (const [reason, [note, token]] of Object.entries(refused)) {
    assert.strictEqual(await send(backend, note, token), reason);
  }
  await backend.shutdown();
  const {privateKey} = crypto.generateKeyPairSync('ec', {namedCurve: 'P-256'});
  const another = privateKey.export({type: 'pkcs8', format: 'pem'});
  for (const wrong of [{key: another}, {keyId: 'AAAAAAAAAA'}, {teamId: 'AAAAAAAAAA'}]) {
    const stranger = provider(wrong);
    assert.strictEqual(await send(stranger, notification('x'), app.token), 'InvalidProviderToken');
    await stranger.shutdown();
  }
  await until('the messages', () => app.texts().length >= 3);
  assert.deepStrictEqual(app.texts(), ['node-apn', 'voip', 'once']);
});

test('a burst of node-apn: each is answered, and each that was sent comes once', async () => {
  const backend = provider();
  const names = Array.from({length: BURST}, (_, i) => `burst ${i}`);
  const answers = await Promise.all(
      names.map(text => send(backend, notification(text), app.token)));
  await backend.shutdown();
  // The mailbox holds 100, and refuses what the phone is too slow for.
  assert.deepStrictEqual(answers.filter(a => a !== 'sent' && a !== 'TooManyRequests'), []);
  const sent = names.filter((_, i) => answers[i] === 'sent');
  assert.ok(sent.length >= 100, `${sent.length}`);
  const came = () => app.texts().filter(text => text.startsWith('burst '));
  await until('the burst', () => came().length >= sent.length);
  assert.deepStrictEqual([...came()].sort(), [...sent].sort());
});

test('the server is started anew under load: each promise is kept', async () => {
  const backend = provider();
  const answers = new Map();
  let stop = false;
  const sending = (async () => {
    for (let i = 0; !stop; ++i) {
      const text = `restart ${i}`;
      answers.set(text, await send(backend, notification(text), app.token));
    }
  })();
  const sent = () => [...answers].filter(([, answer]) => answer === 'sent').map(([text]) => text);
  await until('messages', () => sent().length >= 20);
  await world.stop(world.server);
  await startServer();
  const before = sent().length;
  await until('messages after the restart', () => sent().length >= before + 20);
  stop = true;
  await sending;
  await backend.shutdown();
  const came = () => app.texts().filter(text => text.startsWith('restart '));
  await until('what was sent', () => sent().every(text => came().includes(text)));
  assert.strictEqual(new Set(came()).size, came().length);
});

test('apns2 sends, and is told APNs\' reasons', async context => {
  if (!canHave443) return skipped(context, 'port 443 is not for this user');
  const client = path.join(__dirname, 'apns2_client.js');
  const order = {host: LONELY_HOST, messages: messages('apns2')};
  assert.deepStrictEqual(
      runClient(process.execPath, [client], order,
                {NODE_EXTRA_CA_CERTS: world.path('data/ca.pem')}),
      EXPECTED);
  await until('its message', () => app.texts().includes('apns2 1'));
});

test('aioapns sends, and is told APNs\' reasons', async () => {
  const [host, port] = ports.provider_address.split(':');
  const order = {host, port: Number(port), ca: world.path('data/ca.pem'),
                 messages: messages('aioapns')};
  const client = path.join(__dirname, 'aioapns_client.py');
  assert.deepStrictEqual(runClient('/usr/bin/python3', [client], order), EXPECTED);
  await until('its message', () => app.texts().includes('aioapns 1'));
});
