// What each screen of the console does, and a message that fails at each step. walk_test.js goes
// through all screens as everybody, and through what goes wrong.
'use strict';
const assert = require('assert');
const {after, before, describe, test} = require('node:test');
const {Browser, assertClean, delaysOf, go, login, noteDelays} = require('./browser.js');
const {APP, ConsoleWorld, until} = require('./console_world.js');

const REFUSED = /status of (401|403|404)/;
// From a step's happening to its showing.
const MOST_DELAY_MS = 200;

let browser;
before(async () => {
  browser = await Browser.start();
});
after(() => browser && browser.close());

// A page with somebody logged in.
async function openAs(world, name, options) {
  const page = await browser.open(world.origin, options);
  await login(page, name, world.tokenOf(name));
  await page.getByRole('heading', {level: 1, name: 'Overview'}).waitFor();
  return page;
}

async function lookUp(page, token, messageId) {
  await go(page, 'Message');
  await page.getByLabel('Device token').fill(token);
  await page.getByLabel('Message id').fill(messageId);
  await page.getByRole('button', {name: 'Look it up'}).click();
  return page.getByRole('region', {name: 'Story of the message'});
}

const headlineOf = story => story.locator('.headline');

describe('a server with a phone', () => {
  const world = new ConsoleWorld();
  let token;
  before(async () => {
    await world.begin();
    await world.startAgent();
    token = await world.startApp();
  });
  after(() => world.end());

  test('a wrong token is no login, and the right one shows who it is', async () => {
    const page = await browser.open(world.origin);
    page.expectError(REFUSED);
    await login(page, 'olga', 'a guess');
    await page.getByRole('alert').getByText('BAD_CREDENTIAL').waitFor();
    await login(page, 'olga', world.tokenOf('olga'));
    await page.getByText('All is well').waitFor();
    const who = page.locator('.who');
    assert.match(await who.textContent(), /olga.*owner/);
    const cookies = await page.context().cookies();
    assert.strictEqual(cookies.length, 1);
    assert.ok(cookies[0].httpOnly && cookies[0].sameSite === 'Strict');
    await page.getByRole('button', {name: 'Log out'}).click();
    await page.getByRole('button', {name: 'Log in'}).waitFor();
    await page.goto(world.origin);
    await page.getByRole('button', {name: 'Log in'}).waitFor();
    assertClean(page);
    await page.context().close();
  });

  test('the overview counts the phone, and rates come by themselves', async () => {
    const page = await openAs(world, 'rita');
    const phones = page.locator('.number', {hasText: 'Phones connected'});
    await phones.getByText('1', {exact: true}).waitFor();
    await phones.getByText('logins/s').waitFor();
    await page.getByRole('region', {name: 'Bounded places'}).getByText('device_sockets').waitFor();
    assertClean(page);
    await page.context().close();
  });

  test('an owner makes a team, an app, keys and an alias, and takes them away', async () => {
    const page = await openAs(world, 'olga');
    await go(page, 'Teams');
    await page.getByLabel('Name').fill('Short <lived> "team"');
    await page.getByRole('button', {name: 'Create team'}).click();
    await page.getByRole('heading', {level: 1, name: 'Short <lived> "team"'}).waitFor();
    const apps = page.getByRole('region', {name: 'Apps'});
    await apps.getByLabel('App id').fill('org.example.short');
    await apps.getByRole('button', {name: 'Create app'}).click();
    await apps.getByRole('rowheader', {name: 'org.example.short'}).waitFor();
    const keys = page.getByRole('region', {name: 'Keys'});
    await keys.getByRole('button', {name: 'Create key'}).click();
    await keys.getByText('BEGIN PRIVATE KEY').waitFor();
    await keys.getByRole('button', {name: /^Revoke /}).click();
    await page.getByRole('dialog').getByRole('button', {name: 'Revoke the key'}).click();
    await keys.getByText(/^revoked /).waitFor();
    await apps.getByRole('button', {name: 'Delete org.example.short'}).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(/^Type/).fill('org.example.wrong');
    await dialog.getByRole('button', {name: 'Delete the app'}).click();
    await dialog.getByText('Type org.example.short to go on.').waitFor();
    await dialog.getByLabel(/^Type/).fill('org.example.short');
    await dialog.getByRole('button', {name: 'Delete the app'}).click();
    await apps.getByText('No app yet.').waitFor();
    await page.getByRole('button', {name: 'Delete this team'}).click();
    await dialog.getByLabel(/^Type/).fill('Short <lived> "team"');
    await dialog.getByRole('button', {name: 'Delete the team'}).click();
    await page.getByRole('link', {name: 'Example Mail'}).waitFor();
    assert.strictEqual(await page.getByText('Short <lived>').count(), 0);
    assertClean(page);
    await page.context().close();
    // The audit log has the names of the login.
    const audit = world.run('bellwire', ['audit', '--data_dir', world.data, '--json']);
    assert.match(audit, /"ConsoleLogin"/);
    assert.match(audit, /"who":"olga"[^\n]*"DeleteTeam"/);
  });

  test('a test message shows its steps as they happen', async () => {
    const page = await openAs(world, 'otto');
    await go(page, 'Send a test');
    await page.getByLabel('Device token').fill(token);
    await noteDelays(page);
    for (let i = 0; i < 5; ++i) {
      await page.getByLabel('Payload').fill(`message ${i}`);
      await page.getByRole('button', {name: 'Send', exact: true}).click();
      const story = page.getByRole('region', {name: 'Story of the message'});
      await headlineOf(story).getByText('The app has it.').waitFor();
      for (const step of ['ACCEPTED', 'STORED', 'SENT', 'AGENT_ACKED', 'APP_ACKED']) {
        assert.strictEqual(await story.getByText(step, {exact: true}).count(), 1, step);
      }
    }
    const delays = await delaysOf(page, 'APP_ACKED');
    assert.ok(delays.length >= 5, JSON.stringify(delays));
    console.log(`delays of APP_ACKED, ms: ${delays.join(' ')}`);
    assert.ok(delays[2] <= MOST_DELAY_MS, `half of the steps take longer: ${delays}`);
    assertClean(page);
    await page.context().close();
  });

  test('receipts come as a stream, and lead to their message', async () => {
    const page = await openAs(world, 'rita');
    await go(page, 'Receipts');
    await page.getByText('live', {exact: true}).waitFor();
    const id = world.send(token, 'for the stream');
    await page.getByRole('row').filter({hasText: id}).filter({hasText: 'app acked'}).waitFor();
    await page.getByRole('button', {name: 'Pause'}).click();
    const rows = await page.getByRole('row').count();
    world.send(token, 'while it pauses');
    await page.getByRole('button', {name: 'Go on'}).click();
    await until(
      'the receipts of the pause',
      async () => (await page.getByRole('row').count()) > rows,
    );
    await page.getByRole('row').filter({hasText: id}).getByRole('link').first().click();
    const story = page.getByRole('region', {name: 'Story of the message'});
    await headlineOf(story).getByText('The app has it.').waitFor();
    assertClean(page);
    await page.context().close();
  });

  test('topics are listed, and a topic message shows how far it is', async () => {
    world.provider('topic', 'subscribe', 'news', token);
    const message = ['--text', 'to all', '--priority', 'high', '--json'];
    const sent = JSON.parse(world.provider('topic', 'send', '--topic', 'news', ...message));
    const page = await openAs(world, 'rita');
    await go(page, 'Topics');
    // The number of subscribers is on its way for a moment.
    await until('the topic', async () => {
      await go(page, 'Overview');
      await go(page, 'Topics');
      await page.getByText(/Nobody is subscribed|Subscribers/).first().waitFor();
      return (await page.getByRole('row').filter({hasText: 'news'}).count()) === 1;
    });
    await page.getByLabel('Topic message id').fill(sent.message_id);
    await page.getByRole('button', {name: 'Look it up'}).click();
    await page.getByText('Its fan-out has ended: done').waitFor();
    await page
      .getByRole('row')
      .filter({hasText: 'app acked'})
      .getByText('1', {exact: true})
      .waitFor();
    assertClean(page);
    await page.context().close();
  });

  test('each way in which a message fails is told', async () => {
    const page = await openAs(world, 'rita');
    await world.stop(world.app);
    const told = async (id, headline) => {
      const story = await lookUp(page, token, id);
      await headlineOf(story).getByText(headline).waitFor();
      return story;
    };
    await told(
      world.send(token, 'on the phone'),
      'It is on the phone: the app has not taken it yet.',
    );
    await world.stop(world.agent);
    const waits = world.send(token, 'waits');
    const story = await told(waits, 'It is on the server: the phone has no connection.');
    await story.getByText('To do:').waitFor();
    await told(
      world.send(token, 'later', '--deliver_at', '+10m'),
      'It is on the server until the time that its sender chose.',
    );
    await story.getByText(/It waits until .*its deliver_at/).waitFor();
    await told(world.send(token, 'never', '--ttl', '0s'), 'The phone was not there');
    const short = world.send(token, 'short', '--ttl', '1s');
    await told(short, 'Its time was over before the phone could get it.');
    const first = world.send(token, 'first', '--collapse_key', 'k');
    world.send(token, 'second', '--collapse_key', 'k');
    await told(first, 'A newer message with the same collapse key took its place.');
    const recalled = world.send(token, 'recalled');
    world.provider('recall', recalled, '--token', token);
    await told(recalled, 'Its sender took it back');
    for (let i = 0; i < 101; ++i) world.send(token, `overflow ${i}`);
    await told(waits, 'Too many messages waited for the app');
    page.expectError(REFUSED);
    page.expectError(/status of 400/);
    await lookUp(page, token, '00000000-0000-4000-8000-000000000000');
    await page.getByRole('alert').getByText('MESSAGE_NOT_FOUND').waitFor();
    await lookUp(page, 'not-a-token', waits);
    await page.getByRole('alert').getByText('BAD_DEVICE_TOKEN').waitFor();
    assertClean(page);
    await page.context().close();
    await world.startAgent();
    await world.startApp();
  });

  test('an administrator who is removed is logged out', async () => {
    world.addAdministrator('pat', 'operator');
    const page = await openAs(world, 'pat');
    page.expectError(REFUSED);
    world.removeAdministrator('pat');
    await page.getByText('Your login has ended. Log in again.').waitFor();
    assertClean(page);
    await page.context().close();
  });

  test('all of it goes by the keyboard', async () => {
    const page = await browser.open(world.origin);
    // The form has the focus as soon as it is there.
    await page.waitForFunction(() => document.activeElement.getAttribute('name') === 'username');
    await page.keyboard.type('olga');
    await page.keyboard.press('Tab');
    await page.keyboard.type(world.tokenOf('olga'));
    await page.keyboard.press('Enter');
    await page.getByRole('navigation', {name: 'Console'}).waitFor();
    // To the fifth entry of the menu, behind the brand.
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    await page.evaluate(() => document.querySelector('.brand').focus());
    for (const title of ['Overview', 'Fleet', 'Message', 'Send a test', 'Receipts']) {
      await page.keyboard.press('Tab');
      assert.strictEqual(await focused(), title);
    }
    await page.keyboard.press('Enter');
    await page.getByRole('heading', {level: 1, name: 'Receipts'}).waitFor();
    assert.strictEqual(await focused(), 'Receipts', "the screen's heading has the focus");
    assertClean(page);
    await page.context().close();
  });

  // Last: the phone does not come back.
  test('a phone that is turned away ends what waits for it', async () => {
    await world.stop(world.app);
    await world.stop(world.agent);
    const id = world.send(token, 'for nobody');
    const page = await openAs(world, 'otto');
    page.expectError(REFUSED);
    await go(page, 'Devices');
    await page.getByLabel('Device id, or any token of it').fill(token);
    await page.getByRole('button', {name: 'Find'}).click();
    const device = page.getByRole('region', {name: 'Device', exact: true});
    await device.getByRole('rowheader', {name: APP}).waitFor();
    await device.getByRole('button', {name: 'Revoke this device'}).click();
    await page.getByRole('dialog').getByRole('button', {name: 'Revoke the device'}).click();
    await device.getByText('revoked', {exact: true}).waitFor();
    const story = await lookUp(page, token, id);
    await headlineOf(story).getByText('The app was removed from the phone').waitFor();
    await go(page, 'Send a test');
    await page.getByLabel('Device token').fill(token);
    await page.getByRole('button', {name: 'Send', exact: true}).click();
    await page.getByRole('alert').getByText('UNREGISTERED').waitFor();
    assertClean(page);
    await page.context().close();
  });
});
