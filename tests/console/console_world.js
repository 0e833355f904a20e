// A server with a console, a phone, a team and its app: the real programs.
'use strict';
const {execFileSync, spawn} = require('child_process');
const fs = require('fs');
const path = require('path');
const {World, until} = require(path.join(__dirname, '..', 'doors', 'firefox', 'world.js'));

const APP = 'com.example.mail';

class ConsoleWorld extends World {
  // `team`: with a team, an app and its credentials. `flags`: more of `bellwire serve`.
  async begin({team = true, flags = []} = {}) {
    this.flags = flags;
    this.data = this.path('data');
    this.run('bellwire', ['init', '--data_dir', this.data]);
    this.addAdministrator('olga', 'owner');
    this.addAdministrator('otto', 'operator');
    this.addAdministrator('rita', 'read-only');
    this.ports = {};
    await this.startServer();
    if (team) this.addTeam();
  }

  addTeam() {
    this.team = JSON.parse(this.admin('team', 'create', 'Example Mail', '--json')).team_id;
    this.admin('app', 'create', '--team', this.team, APP);
    this.admin('key', 'create', '--team', this.team, '--out', this.path('cred.json'));
  }

  // `team`: the only one that it administers.
  addAdministrator(name, role, team) {
    this.run('bellwire', [
      'admin',
      'create',
      name,
      '--role',
      role,
      ...(team ? ['--team', team] : []),
      '--data_dir',
      this.data,
      '--out',
      this.path(`${name}.token`),
    ]);
  }
  removeAdministrator(name) {
    this.run('bellwire', ['admin', 'remove', name, '--data_dir', this.data]);
  }
  tokenOf(name) {
    return fs.readFileSync(this.path(`${name}.token`), 'utf8').trim();
  }

  // At the ports of the last time.
  async startServer() {
    fs.rmSync(this.path('server.json'), {force: true});
    const at = name => this.ports[name] || '127.0.0.1:0';
    this.server = this.start('server', 'bellwire', [
      'serve',
      '--data_dir',
      this.data,
      '--provider_listen',
      at('provider_address'),
      '--device_listen',
      at('device_address'),
      '--console_listen',
      at('console_address'),
      '--ready_file',
      this.path('server.json'),
      '--drain_seconds',
      '1',
      ...this.flags,
    ]);
    this.ports = await this.readyFile('server.json', this.server);
    this.device = this.ports.device_address;
    this.origin = `http://${this.ports.console_address}`;
  }

  admin(...args) {
    return this.run('bellwire', [
      ...args,
      '--server',
      this.ports.provider_address,
      '--ca',
      path.join(this.data, 'ca.pem'),
      '--admin_token_file',
      path.join(this.data, 'admin.token'),
    ]);
  }
  provider(...args) {
    return this.run('bellwire', [
      ...args,
      '--server',
      this.ports.provider_address,
      '--ca',
      path.join(this.data, 'ca.pem'),
      '--credentials',
      this.path('cred.json'),
    ]);
  }
  // Answers the message's id. Urgent: an idle phone is not asked to wait.
  send(token, text, ...more) {
    const args = ['--token', token, '--text', text, '--priority', 'high', '--json', ...more];
    return JSON.parse(this.provider('send', ...args)).message_id;
  }

  // Runs the app on the phone; answers its token.
  async startApp(id = APP) {
    const lines = [];
    const child = spawn(
      'bellwire',
      ['listen', '--app', id, '--socket', this.agentSocket, '--json'],
      {stdio: ['ignore', 'pipe', 'ignore']},
    );
    child.ended = new Promise(done => child.once('exit', done));
    this.processes.push(child);
    let text = '';
    child.stdout.on('data', data => {
      text += data;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        lines.push(JSON.parse(text.slice(0, end)));
        text = text.slice(end + 1);
      }
    });
    this.app = child;
    const found = await until("the app's token", () => lines.find(line => line.token));
    return found.token;
  }
}

module.exports = {APP, ConsoleWorld, execFileSync, until};
