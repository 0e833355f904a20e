// Through every screen of the console: as owner, operator, read-only administrator and
// administrator of one team; with a login that ended, without the server, and with one that is
// empty.
'use strict';
const assert = require('assert');
const {after, before, describe, test} = require('node:test');
const {Browser, assertClean, go, login, statusOf, violations} = require('./browser.js');
const {APP, ConsoleWorld} = require('./console_world.js');

const REFUSED = /status of (401|403|404)/;
const LOST = /ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)/;

const hasTeams = page =>
  page.locator('option', {hasText: 'Example Mail'}).first().waitFor({state: 'attached'});

// By their titles in the menu: what shows that a screen is there, with all that it asks for.
const SCREENS = {
  Overview: page => page.getByText('All is well').waitFor(),
  Fleet: page => page.getByRole('rowheader', {name: 'bellwire-serve'}).first().waitFor(),
  Message: hasTeams,
  'Send a test': hasTeams,
  Receipts: page => page.getByText('live', {exact: true}).waitFor(),
  Topics: page => page.getByText(/Nobody is subscribed|news/).first().waitFor(),
  Teams: page => page.getByRole('link', {name: 'Example Mail'}).waitFor(),
  Devices: page => page.getByText(/^1 phone\b/).waitFor(),
  Quotas: page => page.getByRole('row').nth(1).waitFor(),
};
const ALL = Object.keys(SCREENS);
const OF_A_TEAM = ['Message', 'Receipts', 'Topics', 'Teams', 'Quotas'];

const MENUS = {
  olga: ALL,
  otto: ALL,
  rita: ALL.filter(title => title !== 'Send a test'),
  // Of one team.
  tina: [...OF_A_TEAM, 'Send a test'],
  tom: OF_A_TEAM,
};
const MAY_CHANGE = new Set(['olga', 'otto', 'tina']);
const OF_ONE_TEAM = new Set(['tina', 'tom']);

let browser;
before(async () => {
  browser = await Browser.start();
});
after(() => browser && browser.close());

async function openAs(world, name, options) {
  const page = await browser.open(world.origin, options);
  await login(page, name, world.tokenOf(name));
  await page.getByRole('heading', {level: 1}).waitFor();
  await page.getByRole('navigation', {name: 'Console'}).waitFor();
  return page;
}

const menuOf = page =>
  page.getByRole('navigation', {name: 'Console'}).getByRole('link').allTextContents();

describe('a server with a phone', () => {
  const neighbour = new ConsoleWorld();
  const world = new ConsoleWorld();
  let token;
  before(async () => {
    await neighbour.begin({team: false, flags: ['--metrics_listen', '127.0.0.1:0']});
    await world.begin({
      flags: ['--console_fleet', `${neighbour.ports.metrics_address},127.0.0.1:1`],
    });
    world.addAdministrator('tina', 'operator', world.team);
    world.addAdministrator('tom', 'read-only', world.team);
    await world.startAgent();
    token = await world.startApp();
  });
  after(async () => {
    await world.end();
    await neighbour.end();
  });

  for (const [name, titles] of Object.entries(MENUS)) {
    test(`${name} sees what ${name} may do, and is refused the rest`, async () => {
      const page = await openAs(world, name);
      page.expectError(REFUSED);
      page.expectError(/status of 400/);
      assert.deepStrictEqual((await menuOf(page)).sort(), [...titles].sort());
      for (const title of titles) {
        await go(page, title);
        await page.getByRole('heading', {level: 1}).waitFor();
        await SCREENS[title](page);
        assert.strictEqual(await page.getByRole('alert').count(), 0, `${title}: an error`);
      }
      // An address that somebody else could open leads to a screen that this one may see.
      for (const [path, title] of [['overview', 'Overview'], ['send', 'Send a test']]) {
        if (titles.includes(title)) continue;
        await page.goto(`${world.origin}/#/${path}`);
        await page.getByRole('heading', {level: 1}).waitFor();
        assert.notStrictEqual(await page.getByRole('heading', {level: 1}).textContent(), title);
      }
      await go(page, 'Teams');
      await SCREENS.Teams(page);
      const shows = async button => (await page.getByRole('button', {name: button}).count()) > 0;
      const ofServer = !OF_ONE_TEAM.has(name);
      assert.strictEqual(await shows('Create team'), ofServer && MAY_CHANGE.has(name));
      await page.getByRole('link', {name: 'Example Mail'}).click();
      await page.getByRole('rowheader', {name: APP}).waitFor();
      assert.strictEqual(await shows('Create key'), MAY_CHANGE.has(name));
      assert.strictEqual(await shows(`Delete ${APP}`), name === 'olga');
      await go(page, 'Quotas');
      await SCREENS.Quotas(page);
      assert.strictEqual(await shows(/^Change /), ofServer && MAY_CHANGE.has(name));
      // What the page does not show the server does not take.
      const expected = {
        'AdminService/CreateTeam': ofServer && MAY_CHANGE.has(name) ? 400 : 403,
        'AdminService/SetQuota': ofServer && MAY_CHANGE.has(name) ? 400 : 403,
        'AdminService/DeleteApp': name === 'olga' ? 404 : 403,
        'SupportService/SendTest': name === 'tina' || !MAY_CHANGE.has(name) ? 403 : 400,
        'DeviceService/ListDevices': ofServer ? 200 : 403,
        'DeviceService/RevokeDevice': ofServer && MAY_CHANGE.has(name) ? 400 : 403,
      };
      for (const [method, status] of Object.entries(expected)) {
        const body = method === 'AdminService/DeleteApp' ? {appId: 'com.example.none'} : {};
        assert.strictEqual(await statusOf(page, method, body), status, method);
      }
      const liveStatus = await page.evaluate(async () => {
        const headers = {'content-type': 'application/json', 'x-bellwire-console': '1'};
        const stop = new AbortController();
        const answer = await fetch('/api/live/fleet', {
          method: 'POST',
          body: '{}',
          headers,
          signal: stop.signal,
        });
        stop.abort();
        return answer.status;
      });
      assert.strictEqual(liveStatus, ofServer ? 200 : 403);
      assertClean(page);
      await page.context().close();
    });
  }

  test('an operator sets quotas, and takes them back', async () => {
    const page = await openAs(world, 'otto');
    page.expectError(/status of 400/);
    await go(page, 'Quotas');
    await page.getByLabel('Whose quotas').selectOption(world.team);
    await page.getByRole('button', {name: `Change ${world.team}`}).click();
    const card = page.getByRole('region', {name: 'Change a quota'});
    const save = () => card.getByRole('button', {name: 'Save'}).click();
    await save();
    await card.getByRole('alert').getByText('Nothing was changed.').waitFor();
    await card.getByLabel('Messages a second').fill('a lot');
    await save();
    await card.getByRole('alert').getByText('takes a number').waitFor();
    await card.getByLabel('Messages a second').fill('120');
    await card.getByLabel('Bytes that wait for phones').fill('200M');
    await card.getByLabel('Messages a day').fill('none');
    await save();
    await card.getByText('Saved. It holds from now on.').waitFor();
    const shown = JSON.parse(
      world.admin('quota', 'show', world.team, '--json').split('\n')[0],
    );
    assert.deepStrictEqual(shown.set, {
      messages_per_second: 120,
      messages_per_day: -1,
      bytes_waiting: 200 * 2 ** 20,
    });
    const row = page.getByRole('row').filter({hasText: world.team});
    await row.getByText('120').waitFor();
    await row.getByText('of no limit').waitFor();
    // The tokens of an app, for which nothing was set so far.
    await card.getByLabel('Whose', {exact: true}).selectOption(`tokens:${APP}`);
    assert.strictEqual(await card.getByLabel('Topics').count(), 0);
    await card.getByLabel('Messages a day').fill('500');
    await save();
    await card.getByText('Saved. It holds from now on.').waitFor();
    await page.getByRole('button', {name: `Change tokens:${APP}`}).waitFor();
    // And back.
    await page.getByRole('button', {name: `Change ${world.team}`}).click();
    for (const label of ['Messages a second', 'Bytes that wait for phones', 'Messages a day']) {
      await card.getByLabel(label).fill('');
    }
    await save();
    await card.getByText('Saved. It holds from now on.').waitFor();
    const after = JSON.parse(
      world.admin('quota', 'show', world.team, '--json').split('\n')[0],
    );
    assert.strictEqual(after.set, undefined);
    const audit = world.run('bellwire', ['audit', '--data_dir', world.data, '--json']);
    assert.match(audit, /"who":"otto"[^\n]*"SetQuota"/);
    assertClean(page);
    await page.context().close();
  });

  test('the fleet shows each program, and which does not answer', async () => {
    const page = await openAs(world, 'rita');
    await go(page, 'Fleet');
    const rows = page.getByRole('row');
    await page.getByText('2 of 3', {exact: true}).waitFor();
    await rows.filter({hasText: 'this process'}).getByText('ready', {exact: true}).waitFor();
    const other = rows.filter({hasText: neighbour.ports.metrics_address});
    await other.getByText('ready', {exact: true}).waitFor();
    await other.getByText(/ca: \d{4}-|server: \d{4}-|internal: \d{4}-/).waitFor();
    await rows.filter({hasText: '127.0.0.1:1'}).getByText('does not answer').waitFor();
    await page.getByText('1 of 3 programs do not answer').waitFor();
    assertClean(page);
    await page.context().close();
  });

  test('a login that ended is told on every screen, and the next one goes on there', async () => {
    const page = await openAs(world, 'olga');
    page.expectError(REFUSED);
    for (const title of ALL) {
      await go(page, title);
      await SCREENS[title](page);
      // As the server forgets it: it is over for every page of this browser.
      await page.evaluate(() =>
        fetch('/api/logout', {
          method: 'POST',
          body: '{}',
          headers: {'content-type': 'application/json', 'x-bellwire-console': '1'},
        }),
      );
      // A live screen is told by itself, another one with what it asks next. Not by a click: where it
      // is told already, there is no menu any more.
      if (!['Overview', 'Fleet', 'Receipts'].includes(title)) {
        const elsewhere = title === 'Teams' ? '#/topics' : '#/teams';
        await page.evaluate(hash => { location.hash = hash; }, elsewhere);
      }
      await page.getByText('Your login has ended. Log in again.').waitFor();
      await login(page, 'olga', world.tokenOf('olga'));
      await page.getByRole('navigation', {name: 'Console'}).waitFor();
    }
    await go(page, 'Fleet');
    await SCREENS.Fleet(page);
    await page.context().clearCookies();
    await page.reload();
    await page.getByRole('button', {name: 'Log in'}).waitFor();
    await login(page, 'olga', world.tokenOf('olga'));
    await page.getByRole('heading', {level: 1, name: 'Fleet'}).waitFor();
    assertClean(page);
    await page.context().close();
  });

  test('no screen has what axe-core objects to, nor is any wider than a phone', async () => {
    for (const dark of [false, true]) {
      for (const width of [375, 1280]) {
        const page = await openAs(world, 'olga', {width, dark, bypassCSP: true});
        const check = async name => {
          assert.deepStrictEqual(await violations(page), [], `${name}, ${width} px, dark: ${dark}`);
          const wide = await page.evaluate(() => document.scrollingElement.scrollWidth);
          assert.ok(wide <= width, `${name} is ${wide} px wide at ${width} px`);
        };
        for (const title of ALL) {
          await go(page, title);
          await SCREENS[title](page);
          await check(title);
        }
        await page.getByRole('button', {name: `Change ${world.team}`}).click();
        await page.getByRole('region', {name: 'Change a quota'}).waitFor();
        await check('Change a quota');
        await go(page, 'Teams');
        await page.getByRole('link', {name: 'Example Mail'}).click();
        await page.getByRole('button', {name: `Delete ${APP}`}).waitFor();
        await check('Team');
        await page.getByRole('button', {name: `Delete ${APP}`}).click();
        await check('Question');
        await page.getByRole('dialog').getByRole('button', {name: 'Cancel'}).click();
        await go(page, 'Devices');
        await page.getByRole('rowheader').getByRole('button').click();
        await page.getByRole('region', {name: 'Device', exact: true}).waitFor();
        await check('Device');
        await go(page, 'Send a test');
        await page.getByLabel('Device token').fill(token);
        await page.getByRole('button', {name: 'Send', exact: true}).click();
        await page
          .getByRole('region', {name: 'Story of the message'})
          .getByText('STORED')
          .waitFor();
        await check('Story');
        await page.getByRole('button', {name: 'Log out'}).click();
        await page.getByRole('button', {name: 'Log in'}).waitFor();
        await check('Login');
        await page.context().close();
      }
    }
  });

  // Last: it ends the server.
  test('a lost server is told on every screen, and the page goes on when it is back', async () => {
    const page = await openAs(world, 'olga');
    page.expectError(LOST);
    page.expectError(REFUSED);
    await page.getByText('live', {exact: true}).waitFor();
    await world.stop(world.server, 'SIGKILL');
    await page.getByText('no connection to the server; trying again').waitFor();
    for (const title of ALL) {
      await go(page, title);
      await page.getByRole('heading', {level: 1}).waitFor();
      if (title === 'Message' || title === 'Send a test') {
        await page.getByRole('alert').getByText('The server does not answer.').waitFor();
      } else {
        await page
          .getByText(/The server does not answer\.|no connection to the server; trying again/)
          .first()
          .waitFor();
      }
    }
    await go(page, 'Teams');
    await page.getByRole('alert').getByText('The server does not answer.').waitFor();
    await world.startServer();
    await page.getByRole('button', {name: 'Try again'}).click();
    // Logins are in the memory of the server that is gone.
    await page.getByText('Your login has ended. Log in again.').waitFor();
    await login(page, 'olga', world.tokenOf('olga'));
    await page.getByRole('link', {name: 'Example Mail'}).waitFor();
    assertClean(page);
    await page.context().close();
  });
});

describe('an empty server', () => {
  const world = new ConsoleWorld();
  before(() => world.begin({team: false}));
  after(() => world.end());

  test('each screen says what is not there yet', async () => {
    const page = await openAs(world, 'olga');
    const says = {
      Overview: 'All is well',
      Fleet: 'this process',
      Message: 'none: a subscription',
      'Send a test': 'none: a subscription',
      Receipts: 'There is no team yet',
      Topics: 'There is no team yet.',
      Teams: 'There is no team yet.',
      Devices: 'No phone has logged in yet.',
      Quotas: 'Each team',
    };
    for (const title of ALL) {
      await go(page, title);
      await page.getByRole('heading', {level: 1}).waitFor();
      await page.getByText(says[title]).first().waitFor({state: 'attached'});
      assert.strictEqual(await page.getByRole('alert').count(), 0, `${title}: an error`);
    }
    assertClean(page);
    await page.context().close();
  });
});
