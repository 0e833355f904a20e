// The console of a server that has 100,000 phones.
'use strict';
const assert = require('assert');
const {after, before, describe, test} = require('node:test');
const {Browser, assertClean, go, login, violations} = require('./browser.js');
const {APP, ConsoleWorld, until} = require('./console_world.js');

const PHONES = 100000;
// A page of the list, from the click to the page's showing it. It reads as much whatever there is.
const MOST_PAGE_MS = 2000;

let browser;
const world = new ConsoleWorld();
before(async () => {
  browser = await Browser.start();
  await world.begin();
  await world.stop(world.server);
  const made = world.run('make-subscribers', [
    '--data_dir',
    world.data,
    '--team',
    world.team,
    '--app',
    APP,
    '--topic',
    'news',
    '--count',
    String(PHONES),
  ]);
  assert.strictEqual(JSON.parse(made).subscribers, PHONES);
  await world.startServer();
});
after(async () => {
  if (browser) await browser.close();
  await world.end();
});

async function openAs(name, options) {
  const page = await browser.open(world.origin, options);
  await login(page, name, world.tokenOf(name));
  await page.getByRole('heading', {level: 1, name: 'Overview'}).waitFor();
  return page;
}

describe('100,000 phones', () => {
  test('are listed a page at a time, and each is found at once', async () => {
    const page = await openAs('rita');
    await go(page, 'Devices');
    await page.getByText('100,000 phones').waitFor();
    const all = page.getByRole('region', {name: 'All devices'});
    const ids = () => all.getByRole('rowheader').allTextContents();
    const seen = new Set();
    const times = [];
    for (let i = 0; i < 20; ++i) {
      const shown = await ids();
      assert.strictEqual(shown.length, 50);
      for (const id of shown) {
        assert.ok(!seen.has(id), `${id} is on two pages`);
        seen.add(id);
      }
      const began = Date.now();
      await all.getByRole('button', {name: 'More'}).click();
      await until('the next page', async () => (await ids())[0] !== shown[0]);
      times.push(Date.now() - began);
    }
    times.sort((a, b) => a - b);
    console.log(`a page of devices, ms: half within ${times[10]}, all within ${times[19]}`);
    assert.ok(times[10] <= MOST_PAGE_MS, `half of the pages take longer: ${times}`);
    await all.getByRole('button', {name: 'Back'}).click();
    const [id] = await ids();
    await page.getByLabel('Device id, or any token of it').fill(id);
    await page.getByRole('button', {name: 'Find'}).click();
    const found = page.getByRole('region', {name: 'Device', exact: true});
    await found.getByRole('rowheader', {name: APP}).waitFor();
    assertClean(page);
    await page.context().close();
  });

  test('are subscribers of a topic, whose fan-out shows how far it is', async () => {
    const page = await openAs('rita');
    await go(page, 'Topics');
    await page.getByRole('row').filter({hasText: 'news'}).getByText('100,000').waitFor();
    const sent = JSON.parse(
      world.provider('topic', 'send', '--topic', 'news', '--text', 'to all', '--json'),
    );
    await page.getByLabel('Topic message id').fill(sent.message_id);
    await page.getByRole('button', {name: 'Look it up'}).click();
    await page.getByText(/It is being sent: \d+ %|Its fan-out has ended: done/).waitFor();
    await page.getByText('Its fan-out has ended: done').waitFor({timeout: 300000});
    await page.getByText('100,000').first().waitFor();
    assertClean(page);
    await page.context().close();
  });

  test('break no screen at 375 px', async () => {
    const page = await openAs('olga', {width: 375, bypassCSP: true});
    for (const title of ['Overview', 'Devices', 'Topics', 'Quotas', 'Teams']) {
      await go(page, title);
      await page.getByRole('heading', {level: 1}).waitFor();
      await page.waitForLoadState('networkidle').catch(() => {});
      assert.deepStrictEqual(await violations(page), [], title);
      const wide = await page.evaluate(() => document.scrollingElement.scrollWidth);
      assert.ok(wide <= 375, `${title} is ${wide} px wide`);
    }
    await page.context().close();
  });
});
