// A server, a phone and its users: the real programs, as processes. bellwire, bellwire-agent and
// bellwire-companion are taken from the PATH.
'use strict';
const {execFileSync, spawn} = require('child_process');
const fs = require('fs');
const https = require('https');
const net = require('net');
const os = require('os');
const path = require('path');
const webpush = require('web-push');

// How long something may take that takes milliseconds on an idle machine.
const PATIENCE_MS = 60000;

// Asks again and again until `condition` answers something true, and answers that.
async function until(what, condition, patience = PATIENCE_MS) {
  const deadline = Date.now() + patience;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise(done => setTimeout(done, 50));
  }
}

// A port of loopback that nobody has: an endpoint has the port in its name before there is a server.
async function freePort() {
  const server = net.createServer();
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  const {port} = server.address();
  await new Promise(done => server.close(done));
  return port;
}

class World {
  constructor() {
    // Short: the path of a Unix socket has 107 bytes at most.
    this.root = fs.mkdtempSync(path.join(os.tmpdir(), 'doors-'));
    fs.chmodSync(this.root, 0o755);
    this.processes = [];
    this.agentSocket = this.path('agent.sock');
  }

  path(name) {
    return path.join(this.root, name);
  }

  // Runs a program to its end and answers what it printed.
  run(program, args, options = {}) {
    return execFileSync(program, args, {encoding: 'utf8', ...options});
  }

  // Starts a program that stays; its log is NAME.log.
  start(name, program, args, options = {}) {
    const log = fs.openSync(this.path(name + '.log'), 'a');
    const child = spawn(program, args, {stdio: ['ignore', log, log], ...options});
    fs.closeSync(log);
    child.ended = new Promise(done => child.once('exit', done));
    this.processes.push(child);
    return child;
  }

  async readyFile(name, child) {
    const file = this.path(name);
    await until(`${name}`, () => {
      if (child.exitCode !== null) throw new Error(`it ended before it wrote ${name}`);
      return fs.existsSync(file);
    });
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  }

  async startServer() {
    const data = this.path('data');
    const port = await freePort();
    this.run('bellwire', ['init', '--data_dir', data]);
    this.server = this.start('server', 'bellwire', [
      'serve', '--data_dir', data, '--provider_listen', '127.0.0.1:0',
      '--device_listen', '127.0.0.1:0', '--https_listen', `127.0.0.1:${port}`,
      '--public_url', `https://localhost:${port}`, '--ready_file', this.path('server.json'),
    ]);
    const ready = await this.readyFile('server.json', this.server);
    this.device = ready.device_address;
    this.origin = `https://localhost:${port}`;
    this.senders = new https.Agent({ca: fs.readFileSync(this.path('data/ca.pem'))});
  }

  async startAgent() {
    fs.rmSync(this.path('agent.json'), {force: true});
    this.agent = this.start('agent', 'bellwire-agent', [
      '--server', this.device, '--ca', this.path('data/ca.pem'), '--state_dir', this.path('phone'),
      '--socket', this.agentSocket, '--ready_file', this.path('agent.json'),
      '--reconnect_max_seconds', '1',
    ]);
    await this.readyFile('agent.json', this.agent);
    await until('the agent\'s connection', () => this.agentStatus().connection === 'CONNECTED');
  }

  agentStatus() {
    return JSON.parse(
        this.run('bellwire', ['agent', 'status', '--socket', this.agentSocket, '--json']));
  }

  // Sends as npm's web-push does it. Answers the HTTP status, also of an error.
  async push(subscription, vapid, text, options = {}) {
    try {
      const answer = await webpush.sendNotification(
          subscription, text, {vapidDetails: vapid, agent: this.senders, ...options});
      return answer.statusCode;
    } catch (error) {
      if (error.statusCode === undefined) throw error;
      return error.statusCode;
    }
  }

  async stop(child, signal = 'SIGTERM') {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 10000);
    await child.ended;
    clearTimeout(timer);
  }

  logs() {
    let text = '';
    for (const name of fs.readdirSync(this.root).filter(file => file.endsWith('.log'))) {
      const lines = fs.readFileSync(this.path(name), 'utf8').split('\n');
      text += `--- ${name}\n${lines.slice(-30).join('\n')}\n`;
    }
    return text;
  }

  async end() {
    for (const child of this.processes.reverse()) await this.stop(child);
    fs.rmSync(this.root, {recursive: true, force: true, maxRetries: 5});
  }
}

// A user of the phone with a companion and a Firefox profile. `uid` undefined: ourselves.
class User {
  constructor(world, name, uid) {
    this.world = world;
    this.name = name;
    this.owner = uid === undefined ? undefined : {uid, gid: uid};
    this.home = world.path(name);
    this.profile = path.join(this.home, 'profile');
    this.stateDir = path.join(this.home, 'state');
    // More of bellwire-companion.
    this.companionFlags = [];
    fs.mkdirSync(this.home, {mode: 0o700});
    if (this.owner) fs.chownSync(this.home, uid, uid);
    this.environment = {PATH: process.env.PATH, HOME: this.home, XDG_RUNTIME_DIR: this.home,
                        LANG: 'C.UTF-8'};
  }

  run(program, args) {
    return this.world.run(program, args, {env: this.environment, cwd: this.home, ...this.owner});
  }

  async startCompanion() {
    const ready = path.join(this.name, 'companion.json');
    fs.rmSync(this.world.path(ready), {force: true});
    const options = {env: this.environment, cwd: this.home, ...this.owner};
    if (!this.bus) {
      // As a login has one.
      const address = `unix:path=${this.home}/bus`;
      this.environment.DBUS_SESSION_BUS_ADDRESS = address;
      this.bus = this.world.start(
          `bus-${this.name}`, 'dbus-daemon',
          ['--session', '--nofork', '--nopidfile', '--address', address], options);
      await until('a session bus', () => fs.existsSync(`${this.home}/bus`));
    }
    this.companion = this.world.start(
        `companion-${this.name}`, 'bellwire-companion',
        ['--socket', this.world.agentSocket, '--state_dir', this.stateDir, '--ready_file',
         this.world.path(ready), ...this.companionFlags],
        options);
    await this.world.readyFile(ready, this.companion);
  }

  // "ws://127.0.0.1:PORT/SECRET".
  get pushServer() {
    const door = JSON.parse(fs.readFileSync(path.join(this.stateDir, 'browsers.json'), 'utf8'));
    return `ws://127.0.0.1:${door.port}/${door.secret}`;
  }
}

// Established TCP connections of a process to a port, as the kernel counts them.
function connectionsTo(pid, port) {
  const inodes = new Set();
  for (const fd of fs.readdirSync(`/proc/${pid}/fd`)) {
    let target = '';
    try {
      target = fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      continue;  // Closed meanwhile.
    }
    const socket = /^socket:\[(\d+)\]$/.exec(target);
    if (socket) inodes.add(socket[1]);
  }
  let count = 0;
  for (const table of ['tcp', 'tcp6']) {
    for (const line of fs.readFileSync(`/proc/${pid}/net/${table}`, 'utf8').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields.length < 10 || fields[3] !== '01' || !inodes.has(fields[9])) continue;
      if (parseInt(fields[2].split(':')[1], 16) === port) ++count;
    }
  }
  return count;
}

module.exports = {User, World, connectionsTo, until};
