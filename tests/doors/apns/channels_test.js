// Broadcast channels: node-apn's manageChannels and broadcast, unmodified. Run by clients_test.sh.
'use strict';
const assert = require('assert');
const {after, before, test} = require('node:test');
const apn = require('@parse/node-apn');
const {Backend, TOPIC, reasonOf, until} = require('./backend');

const backend = new Backend();
let provider;

before(async () => {
  await backend.start();
  provider = backend.provider();
});

after(async () => {
  if (provider) await provider.shutdown();
  await backend.end();
});

function about(channelId) {
  return Object.assign(new apn.Notification(), {channelId});
}

function broadcastNote(text, channelId) {
  return Object.assign(new apn.Notification({alert: text}), {channelId, pushType: 'liveactivity'});
}

// What became of one call: what was sent, or the reason.
async function one(call) {
  const {sent, failed} = await call;
  assert.strictEqual(sent.length + failed.length, 1);
  return sent.length === 1 ? sent[0] : reasonOf(failed[0]);
}

test('a channel is made, read, listed, broadcast to and deleted', async () => {
  const config = new apn.Notification();
  config.payload = {'message-storage-policy': '1'};
  const made = await one(provider.manageChannels(config, TOPIC, 'create'));
  const id = made['apns-channel-id'];
  assert.match(id, /^[A-Za-z0-9]{20}$/);
  const read = await one(provider.manageChannels(about(id), TOPIC, 'read'));
  assert.strictEqual(read['message-storage-policy'], 1);
  assert.strictEqual(read['push-type'], 'LiveActivity');
  const all = await one(provider.manageChannels(new apn.Notification(), TOPIC, 'readAll'));
  assert.deepStrictEqual(all.channels, [id]);

  const app = await backend.startApp(TOPIC, {topics: [`apns-channel.${TOPIC}.${id}`]});
  await one(provider.broadcast(broadcastNote('goal', id), TOPIC));
  await until('the broadcast', () => app.texts().includes('goal'));

  await one(provider.manageChannels(about(id), TOPIC, 'delete'));
  for (const call of [provider.manageChannels(about(id), TOPIC, 'read'),
                      provider.broadcast(broadcastNote('late', id), TOPIC)]) {
    assert.strictEqual(await one(call), 'ChannelNotRegistered');
  }
});

test('each mistake has its reason', async () => {
  const unknown = 'a'.repeat(20);
  assert.strictEqual(await one(provider.broadcast(broadcastNote('x', unknown), TOPIC)),
                     'ChannelNotRegistered');
  assert.strictEqual(await one(provider.broadcast(broadcastNote('x'), TOPIC)), 'MissingChannelId');
  const alert = Object.assign(broadcastNote('x', unknown), {pushType: 'alert'});
  assert.strictEqual(await one(provider.broadcast(alert, TOPIC)), 'ChannelNotRegistered');
});
