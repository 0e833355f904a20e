// npm's web-push → bellwire serve → bellwire-agent → bellwire-companion → Firefox ESR: nothing of the
// first and the last is changed. Run by web_push_test.sh.
'use strict';
const assert = require('assert');
const fs = require('fs');
const http = require('http');
const net = require('net');
const {spawnSync} = require('child_process');
const {after, before, test} = require('node:test');
const webpush = require('web-push');
const {Firefox, makeProfile} = require('./firefox');
const {PushSite} = require('./push_site');
const {User, World, connectionsTo, until} = require('./world');

const IS_ROOT = process.getuid() === 0;
// Users that every Debian has and nobody uses, "backup" and "games": a session bus is for users that
// have a name.
const OTHER_UID = 34;
const THIRD_UID = 5;

const vapid = {subject: 'mailto:ops@example.com', ...webpush.generateVAPIDKeys()};
let world;
let user;
let site;
let firefox;
let page;

// What cannot be done here is said, and fails where everything must be shown.
function skipped(context, why) {
  console.log(`SKIPPED: ${context.name}: ${why}`);
  assert.ok(!process.env.BELLWIRE_NO_SKIPPED_DOORS, `a skipped door: ${why}`);
  context.skip(why);
}

async function startFirefox(of) {
  return Firefox.start(of.profile, of.home, of.owner);
}

function subscribe(on, scope, key = vapid.publicKey) {
  return on.evaluate((s, k) => subscribe(s, k), scope, key);
}

// Sends one text and waits until the page's service worker has it, once.
async function pushAndAwait(of, scope, subscription, text, options) {
  assert.strictEqual(await world.push(subscription, vapid, text, options), 201);
  await until(`"${text}" at ${scope}`, () => of.textsOf(scope).includes(text));
  assert.strictEqual(of.textsOf(scope).filter(got => got === text).length, 1);
}

before(async () => {
  world = new World();
  await world.startServer();
  await world.startAgent();
  user = new User(world, 'alice', IS_ROOT ? OTHER_UID : undefined);
  makeProfile(user.profile, user.owner);
  user.run('bellwire', ['companion', 'firefox', 'on', '--profile', user.profile, '--state_dir',
                        user.stateDir]);
  await user.startCompanion();
  site = await PushSite.start();
  firefox = await startFirefox(user);
  page = await firefox.open(site.origin + '/');
});

after(async () => {
  if (firefox) await firefox.close();
  if (site) site.stop();
  if (world) {
    if (process.exitCode) console.log(world.logs());
    await world.end();
  }
});

test('a page subscribes, and shows what web-push sent', async () => {
  const subscription = await subscribe(page, '/main/');
  assert.ok(subscription.endpoint.startsWith(world.origin + '/wpush/'), subscription.endpoint);
  await pushAndAwait(site, '/main/', subscription, 'Hello, wörld ✓');
  const shown = () => page.$$eval('#messages li', items => items.map(item => item.textContent));
  await until('the text in the page', async () => (await shown()).includes('Hello, wörld ✓'));

  // The largest payload of RFC 8291, the encryption of its draft, every urgency, and none at all.
  await pushAndAwait(site, '/main/', subscription, 'x'.repeat(3993));
  await pushAndAwait(site, '/main/', subscription, 'aesgcm', {contentEncoding: 'aesgcm'});
  for (const urgency of ['very-low', 'low', 'normal', 'high']) {
    await pushAndAwait(site, '/main/', subscription, urgency, {urgency});
  }
  assert.strictEqual(await world.push(subscription, vapid, null), 201);
  await until('a push without payload', () => site.textsOf('/main/').includes(null));

  // Another sender's key opens nothing.
  const stranger = {subject: 'mailto:a@example.com', ...webpush.generateVAPIDKeys()};
  const status = await world.push(subscription, stranger, 'not for you');
  assert.ok(status === 401 || status === 403, `${status}`);
});

test('ten subscriptions of three origins share one connection to the server', async () => {
  const sites = [site, await PushSite.start(), await PushSite.start()];
  const pages = [page, await firefox.open(sites[1].origin + '/'),
                 await firefox.open(sites[2].origin + '/')];
  const subscriptions = [];
  for (let i = 0; i < 10; ++i) {
    const scope = `/ten/${i}/`;
    subscriptions.push({scope, site: sites[i % 3], of: await subscribe(pages[i % 3], scope)});
  }
  assert.strictEqual(new Set(subscriptions.map(one => one.of.endpoint)).size, 10);
  await Promise.all(subscriptions.map(
      one => pushAndAwait(one.site, one.scope, one.of, `only for ${one.scope}`)));
  for (const one of subscriptions) {
    assert.deepStrictEqual(one.site.textsOf(one.scope), [`only for ${one.scope}`]);
  }
  const port = Number(world.device.split(':').pop());
  assert.strictEqual(connectionsTo(world.agent.pid, port), 1);
  assert.ok(world.agentStatus().subscriptions.length >= 10);
  sites[1].stop();
  sites[2].stop();
  await pages[1].close();
  await pages[2].close();
});

test('what was sent while Firefox was closed comes when it starts, once and in order', async () => {
  const subscription = await subscribe(page, '/restarted/');
  await pushAndAwait(site, '/restarted/', subscription, 'before');
  await firefox.close();
  const texts = [1, 2, 3, 4, 5].map(n => `while closed ${n}`);
  for (const text of texts) {
    assert.strictEqual(await world.push(subscription, vapid, text), 201);
  }
  firefox = await startFirefox(user);
  page = await firefox.open(site.origin + '/');
  await until('what was sent meanwhile', () => site.textsOf('/restarted/').length >= 6);
  // The endpoint is still the same one, and nothing came twice before this one.
  assert.strictEqual((await subscribe(page, '/restarted/')).endpoint, subscription.endpoint);
  await pushAndAwait(site, '/restarted/', subscription, 'after');
  assert.deepStrictEqual(site.textsOf('/restarted/'), ['before', ...texts, 'after']);
});

test('what was sent while the phone was away comes when it is back', async () => {
  const subscription = await subscribe(page, '/away/');
  await pushAndAwait(site, '/away/', subscription, 'before');
  await world.stop(world.agent, 'SIGKILL');
  assert.strictEqual(await world.push(subscription, vapid, 'while away'), 201);
  // Of one topic the newest is enough.
  assert.strictEqual(await world.push(subscription, vapid, 'score 1:0', {topic: 'score'}), 201);
  assert.strictEqual(await world.push(subscription, vapid, 'score 2:0', {topic: 'score'}), 201);
  await world.startAgent();
  await until('what was sent meanwhile', () => site.textsOf('/away/').includes('score 2:0'));
  await pushAndAwait(site, '/away/', subscription, 'after');
  assert.deepStrictEqual(site.textsOf('/away/'), ['before', 'while away', 'score 2:0', 'after']);
});

test('a companion that was killed is missed by nobody', async () => {
  const subscription = await subscribe(page, '/killed/');
  await pushAndAwait(site, '/killed/', subscription, 'before');
  await world.stop(user.companion, 'SIGKILL');
  assert.strictEqual(await world.push(subscription, vapid, 'while killed'), 201);
  await user.startCompanion();
  await until('what was sent meanwhile', () => site.textsOf('/killed/').includes('while killed'));
  await pushAndAwait(site, '/killed/', subscription, 'after');
  assert.deepStrictEqual(site.textsOf('/killed/'), ['before', 'while killed', 'after']);
});

test('another page gets nothing at the companion\'s port', async () => {
  const url = user.pushServer;
  const outcome = await page.evaluate(async address => {
    const socket = new WebSocket(address);
    const opened = await new Promise(done => {
      socket.onopen = () => done(true);
      socket.onerror = () => done(false);
    });
    const fetched = await fetch(address.replace('ws:', 'http:')).then(() => true, () => false);
    return {opened, fetched};
  }, url);
  assert.deepStrictEqual(outcome, {opened: false, fetched: false});

  // A rebound name has another Host; a page that guesses has another path. The browser is asked as
  // itself: even that takes the secret.
  const upgrade = (path, host, origin) => new Promise((resolve, reject) => {
    const {port} = new URL(url);
    const request = http.request({host: '127.0.0.1', port, path, headers: {
      host, ...(origin === undefined ? {} : {origin}), connection: 'Upgrade',
      upgrade: 'websocket', 'sec-websocket-version': 13,
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    }});
    request.on('upgrade', (answer, socket) => {
      socket.destroy();
      resolve(101);
    });
    request.on('response', answer => {
      answer.resume();
      resolve(answer.statusCode);
    });
    request.on('error', reject);
    request.end();
  });
  if (user.owner === undefined) {
    const {host, pathname} = new URL(url);
    assert.strictEqual(await upgrade(pathname, host, url), 101);
    assert.strictEqual(await upgrade(pathname, host, site.origin), 403);
    assert.strictEqual(await upgrade(pathname, 'rebound.example', url), 403);
    assert.strictEqual(await upgrade('/' + '0'.repeat(32), host, url), 403);
  }
});

test('another user gets nothing at the companion\'s port', async context => {
  if (!IS_ROOT) return skipped(context, 'becoming another user needs root');
  // One that knows the secret, and asks as Firefox does.
  const {host, port, pathname} = new URL(user.pushServer);
  const ask = uid => spawnSync(process.execPath, ['-e', `
    const socket = require('net').connect(${port}, '127.0.0.1');
    let got = '';
    socket.on('data', piece => {
      got += piece;
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => console.log(JSON.stringify(got)));
    socket.write(${JSON.stringify(
      `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${user.pushServer}\r\n` +
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n')});`],
    {encoding: 'utf8', uid, gid: uid});
  const stranger = ask(THIRD_UID);
  assert.strictEqual(stranger.status, 0, stranger.stderr);
  assert.strictEqual(JSON.parse(stranger.stdout), '');
  assert.match(JSON.parse(ask(user.owner.uid).stdout), /^HTTP\/1\.1 101 /);
});

test('two users at once get their own', async context => {
  if (!IS_ROOT) return skipped(context, 'becoming another user needs root');
  const bob = new User(world, 'bob', THIRD_UID);
  makeProfile(bob.profile, bob.owner);
  bob.run('bellwire', ['companion', 'firefox', 'on', '--profile', bob.profile, '--state_dir',
                       bob.stateDir]);
  await bob.startCompanion();
  assert.notStrictEqual(bob.pushServer, user.pushServer);
  const bobs = await PushSite.start();
  const his = await startFirefox(bob);
  try {
    const hisPage = await his.open(bobs.origin + '/');
    const [mine, other] =
        await Promise.all([subscribe(page, '/two/'), subscribe(hisPage, '/two/')]);
    assert.notStrictEqual(mine.endpoint, other.endpoint);
    await Promise.all([
      pushAndAwait(site, '/two/', mine, 'for alice'),
      pushAndAwait(bobs, '/two/', other, 'for bob'),
    ]);
    assert.deepStrictEqual(site.textsOf('/two/'), ['for alice']);
    assert.deepStrictEqual(bobs.textsOf('/two/'), ['for bob']);
    const port = Number(world.device.split(':').pop());
    assert.strictEqual(connectionsTo(world.agent.pid, port), 1);
  } finally {
    await his.close();
    bobs.stop();
  }
});

test('`bellwire companion firefox try` shows a push, and leaves nothing behind', () => {
  fs.copyFileSync(world.path('data/ca.pem'), world.path('ca.pem'));
  fs.chmodSync(world.path('ca.pem'), 0o644);
  user.environment.MOZ_HEADLESS = '1';
  const attempt = (...more) => user.run('bellwire', [
    'companion', 'firefox', 'try', '--close', '--state_dir', user.stateDir, '--text', 'Grüße ✓',
    '--json', '--ca', ...more]);
  const said = attempt(world.path('ca.pem')).trim().split('\n').map(line => JSON.parse(line));
  assert.deepEqual(said.map(line => line.step), ['started', 'subscribed', 'sent', 'shown']);
  assert.match(said[3].text, /^Firefox shows: Grüße ✓ \(after \d+ ms\)$/);
  // A server that this machine has no reason to trust.
  assert.throws(() => attempt('/etc/ssl/certs/ca-certificates.crt'),
                error => /has no certificate that is trusted/.test(error.stdout + error.stderr));
  assert.throws(() => attempt(world.path('ca.pem'), '--firefox', '/usr/bin/false'),
                error => /ended before it showed a push/.test(error.stdout + error.stderr));
  assert.ok(!fs.readdirSync(user.stateDir).some(name => name.startsWith('firefox-trial')));
});

test('the backend learns that a page has unsubscribed', async () => {
  const subscription = await subscribe(page, '/gone/');
  await pushAndAwait(site, '/gone/', subscription, 'before');
  assert.strictEqual(await page.evaluate(() => unsubscribe('/gone/')), true);
  const seen = [];
  await until('410', async () => {
    seen.push(await world.push(subscription, vapid, 'nobody is there'));
    return seen[seen.length - 1] === 410;
  });
  assert.ok(seen.every(status => status === 201 || status === 410), seen.join());
  // A new subscription of the same page is another one.
  const again = await subscribe(page, '/gone/');
  assert.notStrictEqual(again.endpoint, subscription.endpoint);
  await pushAndAwait(site, '/gone/', again, 'after');
  assert.strictEqual(await world.push(subscription, vapid, 'nobody is there'), 410);
  assert.deepStrictEqual(site.textsOf('/gone/'), ['before', 'after']);
});
