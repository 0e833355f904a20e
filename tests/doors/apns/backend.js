// What the tests of the APNs door share: a server and a phone of the real programs, a backend's
// credentials, apps that note what they are given, and the clients.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const path = require('path');
const {spawn} = require('child_process');
const apn = require('@parse/node-apn');
const {World, until} = require('../firefox/world');

const TOPIC = 'com.example.mail';
// Of APNs' shape, and none of this server's.
const NO_TOKEN = '00'.repeat(80);

function canListen(port, host) {
  return new Promise(answer => {
    const server = net.createServer();
    server.once('error', () => answer(false));
    server.listen(port, host, () => server.close(() => answer(true)));
  });
}

class Backend {
  constructor() {
    this.world = new World();
    // Nobody else's: apns2 knows port 443 only.
    this.lonelyHost =
        `127.${crypto.randomInt(1, 255)}.${crypto.randomInt(256)}.${crypto.randomInt(1, 255)}`;
    this.ports = {};
    this.apps = new Map();
  }

  // `separate`: gateway, connector and registry as daemons.
  async start({separate = false} = {}) {
    const {world} = this;
    this.separate = separate;
    world.run('bellwire', ['init', '--data_dir', world.path('data'), '--server_name', '127.0.0.1',
                           '--server_name', this.lonelyHost]);
    this.canHave443 = await canListen(443, this.lonelyHost);
    await this.startServer();
    this.team = JSON.parse(this.cli('team', 'create', 'Example', '--json')).team_id;
    this.credentials = this.makeKey(this.team);
    world.device = this.ports.device_address;
    await world.startAgent();
  }

  end() {
    return this.world.end();
  }

  // Everything that isn't running, at the addresses that it had.
  async startServer() {
    if (!this.separate) {
      await this.startMember('server', 'bellwire', ['serve', '--drain_seconds', '1'],
                             {'--provider_listen': 'provider_address',
                              '--device_listen': 'device_address'});
      return;
    }
    await this.startMember('registry', 'bellwire-registry', [],
                           {'--listen': 'internal_address'});
    const registry = ['--registry_address', this.ports.registry.internal_address];
    await this.startMember('connector', 'bellwire-connector', registry,
                           {'--listen': 'device_address', '--internal_listen': 'internal_address'});
    await this.startMember('gateway', 'bellwire-gateway', [...registry, '--drain_seconds', '1'],
                           {'--listen': 'provider_address'});
  }

  async startMember(name, program, args, listens) {
    const {world} = this;
    const before = this[name];
    if (before && before.exitCode === null && before.signalCode === null) return;
    const known = this.ports[name] || {};
    const ready = `${name}.json`;
    fs.rmSync(world.path(ready), {force: true});
    const addresses = Object.entries(listens).flatMap(
        ([flag, key]) => [flag, known[key] || '127.0.0.1:0']);
    const https = this.canHave443 && Object.values(listens).includes('provider_address') ?
        ['--https_listen', `${this.lonelyHost}:443`] : [];
    this[name] = world.start(name, program, [
      ...args, '--data_dir', world.path('data'), '--ready_file', world.path(ready), ...addresses,
      ...https,
    ]);
    this.ports[name] = await world.readyFile(ready, this[name]);
    for (const key of ['provider_address', 'device_address']) {
      if (this.ports[name][key]) this.ports[key] = this.ports[name][key];
    }
  }

  cli(...args) {
    return this.world.run('bellwire', [...args, '--server', this.ports.provider_address,
                                       '--data_dir', this.world.path('data')]);
  }

  makeKey(team) {
    const file = this.world.path(`${team}.json`);
    this.cli('key', 'create', '--team', team, '--out', file);
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  }

  // An app on the phone: its token, and the texts that it was given, in order.
  async startApp(id, {team = this.team, topics = []} = {}) {
    this.cli('app', 'create', id, '--team', team, '--overflow', 'refuse_newest');
    const {world} = this;
    const child = spawn('bellwire',
                        ['listen', '--app', id, '--socket', world.agentSocket, '--json',
                         ...topics.flatMap(topic => ['--topic', topic])],
                        {stdio: ['ignore', 'pipe', 'inherit']});
    child.ended = new Promise(done => child.once('exit', done));
    world.processes.push(child);
    const app = {id, child, token: undefined, lines: [], subscribed: new Set()};
    app.texts = () => app.lines.map(line => JSON.parse(line.payload).aps.alert);
    let rest = '';
    child.stdout.on('data', data => {
      const parts = (rest + data).split('\n');
      rest = parts.pop();
      for (const line of parts.map(part => JSON.parse(part))) {
        if (line.token) app.token = line.token;
        if (line.event === 'subscribed') app.subscribed.add(line.topic);
        if (line.payload !== undefined) app.lines.push(line);
      }
    });
    await until(`the token of ${id}`, () => app.token);
    await until(`the topics of ${id}`, () => topics.every(topic => app.subscribed.has(topic)));
    this.apps.set(id, app);
    return app;
  }

  // The app says that it wants no more messages, as its library does it.
  async unregister(id) {
    await this.world.stop(this.apps.get(id).child);
    await new Promise((done, failed) => {
      const hello = Buffer.concat([Buffer.from([id.length + 4, 0x0a, id.length + 2, 0x0a,
                                                id.length]), Buffer.from(id)]);
      const socket = net.connect(this.world.agentSocket, () => {
        socket.write(Buffer.concat([hello, Buffer.from([2, 0x1a, 0])]));
      });
      let answer = Buffer.alloc(0);
      socket.on('data', data => {
        answer = Buffer.concat([answer, data]);
        if (!answer.includes(Buffer.from([2, 0x1a, 0]))) return;
        socket.end();
        done();
      });
      socket.on('error', failed);
    });
  }

  // What node-apn's Provider is given.
  options(token = {}) {
    const [host, port] = this.ports.provider_address.split(':');
    return {
      address: host, port: Number(port), production: true,
      manageChannelsAddress: host, manageChannelsPort: Number(port),
      ca: [fs.readFileSync(this.world.path('data/ca.pem'))],
      // Its own 5 s are for a machine that does nothing else.
      requestTimeout: 60000,
      token: {key: this.credentials.private_key_pem, keyId: this.credentials.key_id,
              teamId: this.credentials.team_id, ...token},
    };
  }

  provider(token) {
    return new apn.Provider(this.options(token));
  }

  // A client of another process: it reads an order and prints what became of each message.
  runClient(program, args, order, environment = {}) {
    return new Promise((done, failed) => {
      const child = spawn(program, args, {stdio: ['pipe', 'pipe', 'inherit'],
                                          env: {...process.env, ...environment}});
      let out = '';
      child.stdout.on('data', data => { out += data; });
      child.once('exit', code => {
        if (code !== 0) return failed(new Error(`${args[0]} ended with ${code}`));
        return done(JSON.parse(out));
      });
      child.stdin.end(JSON.stringify({credentials: this.credentials, topic: TOPIC, ...order}));
    });
  }

  runApns2(messages) {
    return this.runClient(process.execPath, [path.join(__dirname, 'apns2_client.js')],
                          {host: this.lonelyHost, messages},
                          {NODE_EXTRA_CA_CERTS: this.world.path('data/ca.pem')});
  }

  runAioapns(messages) {
    const [host, port] = this.ports.provider_address.split(':');
    return this.runClient('/usr/bin/python3', [path.join(__dirname, 'aioapns_client.py')],
                          {host, port: Number(port), ca: this.world.path('data/ca.pem'), messages});
  }

  skipped(context, why) {
    console.log(`SKIPPED: ${context.name}: ${why}`);
    assert.ok(!process.env.BELLWIRE_NO_SKIPPED_DOORS, `a skipped door: ${why}`);
    context.skip(why);
  }
}

function notification(text, more = {}) {
  return Object.assign(new apn.Notification({alert: text, topic: TOPIC, pushType: 'alert'}), more);
}

// What a failure of node-apn says.
function reasonOf(failure) {
  return failure.response ? failure.response.reason : String(failure.error);
}

// 'sent', or the reason.
async function send(from, note, token) {
  const {sent, failed} = await from.send(note, token);
  assert.strictEqual(sent.length + failed.length, 1);
  return sent.length === 1 ? 'sent' : reasonOf(failed[0]);
}

module.exports = {Backend, NO_TOKEN, TOPIC, notification, reasonOf, send, until};
