// The browser's part of `tools/demo --browser`: a page in Firefox subscribes, npm's web-push sends, the
// page shows what it got.
//
//   demo_browser.js PROFILE HOME CA_FILE SCREENSHOT
'use strict';
const fs = require('fs');
const https = require('https');
const path = require('path');
const webpush = require('web-push');
const doors = path.join(__dirname, '..', 'tests', 'doors', 'firefox');
const {Firefox} = require(path.join(doors, 'firefox.js'));
const {PushSite} = require(path.join(doors, 'push_site.js'));
const {until} = require(path.join(doors, 'world.js'));

const TEXTS = ['Hello from npm web-push', 'Encrypted for this page alone', 'Grüße ✓'];

async function main([profile, home, caFile, screenshot]) {
  const site = await PushSite.start();
  const firefox = await Firefox.start(profile, home);
  try {
    console.log(`ok  ${await firefox.browser.version()}, headless`);
    const page = await firefox.open(site.origin + '/');
    const keys = webpush.generateVAPIDKeys();
    const subscription = await page.evaluate(key => subscribe('/', key), keys.publicKey);
    console.log(`ok  a page at ${site.origin} subscribed: ${subscription.endpoint.slice(0, 64)}...`);
    const agent = new https.Agent({ca: fs.readFileSync(caFile)});
    for (const text of TEXTS) {
      const began = process.hrtime.bigint();
      const answer = await webpush.sendNotification(subscription, text, {
        agent, vapidDetails: {subject: 'mailto:demo@example.com', ...keys},
      });
      await until(`"${text}" in the page`, () => site.textsOf('/').includes(text));
      const ms = Number((process.hrtime.bigint() - began) / 1000000n);
      console.log(`ok  web-push: ${answer.statusCode}; the page has "${text}" after ${ms} ms`);
    }
    const shown = () => page.$$eval('#messages li', items => items.map(item => item.textContent));
    await until('all texts in the page', async () => (await shown()).length >= TEXTS.length);
    await page.screenshot({path: screenshot});
    console.log(`ok  what the page looks like: ${screenshot}`);
  } finally {
    await firefox.close();
    site.stop();
  }
}

main(process.argv.slice(2)).catch(error => {
  console.error(`error: ${error.message}`);
  process.exit(1);
});
