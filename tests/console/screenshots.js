// Makes the pictures of docs/operate/console.md: `tools/console screenshots`. Each is a WebP, which
// Chromium itself makes.
//
//   screenshots.js DIRECTORY
'use strict';
const fs = require('fs');
const path = require('path');
const {Browser, go, login} = require('./browser.js');
const {ConsoleWorld} = require('./console_world.js');

const WIDTHS = [375, 1280];
// Of WebP: text stays sharp, at a third of a PNG.
const QUALITY = 0.85;

// PNG to WebP, in a page of the browser: no other program is needed.
async function toWebp(browser, png) {
  const page = await browser.chromium.newPage();
  const url = await page.evaluate(async ([source, quality]) => {
    const image = new Image();
    image.src = source;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext('2d').drawImage(image, 0, 0);
    return canvas.toDataURL('image/webp', quality);
  }, [`data:image/png;base64,${png.toString('base64')}`, QUALITY]);
  await page.close();
  const [head, data] = url.split(',');
  if (head !== 'data:image/webp;base64') throw new Error(`Chromium makes no WebP, but ${head}`);
  return Buffer.from(data, 'base64');
}

async function shootOverview(page) {
  await page.locator('.number', {hasText: 'Phones connected'}).getByText('logins/s').waitFor();
}

async function shootFleet(page) {
  await go(page, 'Fleet');
  await page.getByText('2 of 2', {exact: true}).waitFor();
  await page.getByRole('row').nth(1).getByText('ready', {exact: true}).waitFor();
}

async function shootStory(page, token) {
  await go(page, 'Send a test');
  await page.getByLabel('Device token').fill(token);
  await page.getByRole('button', {name: 'Send', exact: true}).click();
  const story = page.getByRole('region', {name: 'Story of the message'});
  await story.getByText('The app has it.').waitFor();
  await story.evaluate(element => element.scrollIntoView());
}

async function main([directory]) {
  fs.rmSync(directory, {recursive: true, force: true});
  fs.mkdirSync(directory, {recursive: true});
  const neighbour = new ConsoleWorld();
  const world = new ConsoleWorld();
  const browser = await Browser.start();
  try {
    await neighbour.begin({team: false, flags: ['--metrics_listen', '127.0.0.1:0']});
    await world.begin({flags: ['--console_fleet', neighbour.ports.metrics_address]});
    await world.startAgent();
    const token = await world.startApp();
    for (let i = 0; i < 40; ++i) world.send(token, `message ${i}`);
    for (const dark of [false, true]) {
      for (const width of WIDTHS) {
        const page = await browser.open(world.origin, {
          width,
          height: width < 800 ? 760 : 800,
          dark,
        });
        await login(page, 'olga', world.tokenOf('olga'));
        const screens = {overview: shootOverview, fleet: shootFleet, story: shootStory};
        for (const [name, prepare] of Object.entries(screens)) {
          await prepare(page, token);
          const file = `${name}-${width}-${dark ? 'dark' : 'light'}.webp`;
          fs.writeFileSync(
            path.join(directory, file),
            await toWebp(browser, await page.screenshot()),
          );
        }
        await page.context().close();
      }
    }
  } finally {
    await browser.close();
    await world.end();
    await neighbour.end();
  }
}

main(process.argv.slice(2)).catch(error => {
  console.error(`error: ${error.message}`);
  process.exit(1);
});
