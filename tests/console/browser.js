// Debian's Chromium, and what every page of the console must keep to.
'use strict';
const assert = require('assert');
const fs = require('fs');
const {chromium} = require('playwright-core');

const CHROMIUM = '/usr/bin/chromium';

class Browser {
  static async start() {
    const browser = new Browser();
    // Chromium refuses to be root in a sandbox of its own.
    const args = process.getuid() === 0 ? ['--no-sandbox'] : [];
    browser.chromium = await chromium.launch({executablePath: CHROMIUM, args});
    return browser;
  }

  // A page of a person of their own. `origin`: the console's.
  async open(origin, {width = 1280, height = 900, dark = false, bypassCSP = false} = {}) {
    const context = await this.chromium.newContext({
      viewport: {width, height},
      colorScheme: dark ? 'dark' : 'light',
      bypassCSP,
      reducedMotion: 'reduce',
      locale: 'en-GB',
      timezoneId: 'UTC',
    });
    const page = await context.newPage();
    page.setDefaultTimeout(60000);
    const faults = [];
    // Of requests that are to fail: each test says which.
    const expected = [];
    page.on('console', message => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      if (expected.some(pattern => pattern.test(message.text()))) return;
      faults.push(`${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', error => faults.push(`uncaught: ${error.message}`));
    page.on('request', request => {
      if (!request.url().startsWith(origin + '/')) faults.push(`elsewhere: ${request.url()}`);
    });
    page.faults = faults;
    page.expectError = pattern => expected.push(pattern);
    await page.goto(origin);
    return page;
  }

  close() {
    return this.chromium.close();
  }
}

async function login(page, name, token) {
  await page.getByLabel('Administrator').fill(name);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', {name: 'Log in'}).click();
}

// Opens a screen by the menu.
async function go(page, title) {
  await page
    .getByRole('navigation', {name: 'Console'})
    .getByRole('link', {name: title, exact: true})
    .click();
}

// What the server answers the page's cookie: the HTTP status of a method of the admin API.
function statusOf(page, method, body) {
  return page.evaluate(
    async ([m, b]) =>
      (
        await fetch(`/api/rpc/${m}`, {
          method: 'POST',
          body: JSON.stringify(b),
          headers: {'content-type': 'application/json', 'x-bellwire-console': '1'},
        })
      ).status,
    [method, body],
  );
}

// Has the page note when each step of a story shows, and how long after it happened. Both are of
// this machine's clock.
async function noteDelays(page) {
  await page.evaluate(() => {
    window.delays = [];
    const seen = new Set();
    new MutationObserver(() => {
      for (const time of document.querySelectorAll('.steps time')) {
        const at = time.getAttribute('datetime');
        const step = time.closest('li').querySelector('code').textContent;
        if (seen.has(at + step)) continue;
        seen.add(at + step);
        window.delays.push([step, Date.now() - Date.parse(at)]);
      }
    }).observe(document.body, {childList: true, subtree: true});
  });
}

// Those of one step so far, in milliseconds, the shortest first.
async function delaysOf(page, step) {
  const all = await page.evaluate(() => window.delays);
  return all
    .filter(([name]) => name === step)
    .map(([, delay]) => delay)
    .sort((a, b) => a - b);
}

// That nothing went wrong on the page, and nobody else was asked.
function assertClean(page) {
  assert.deepStrictEqual(page.faults, []);
}

// What axe-core finds. The page must have been opened with bypassCSP.
async function violations(page) {
  await page.evaluate(fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const {violations: found} = await page.evaluate(
    'axe.run(document, {resultTypes: ["violations"]})',
  );
  return found.map(
    ({id, nodes}) => `${id}: ${nodes.map(node => node.html.slice(0, 120)).join(' | ')}`,
  );
}

module.exports = {
  Browser,
  assertClean,
  delaysOf,
  go,
  login,
  noteDelays,
  statusOf,
  violations,
};
