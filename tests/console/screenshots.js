// Makes the pictures of docs/operate/console.md: `tools/console screenshots`.
//
//   screenshots.js DIRECTORY
'use strict';
const fs = require('fs');
const path = require('path');
const {Browser, go, login} = require('./browser.js');
const {ConsoleWorld} = require('./console_world.js');

async function main([directory]) {
  fs.mkdirSync(directory, {recursive: true});
  const world = new ConsoleWorld();
  const browser = await Browser.start();
  try {
    await world.begin();
    await world.startAgent();
    const token = await world.startApp();
    for (let i = 0; i < 40; ++i) world.send(token, `message ${i}`);
    for (const dark of [false, true]) {
      for (const width of [375, 1280]) {
        const page = await browser.open(world.origin, {
          width,
          height: width < 800 ? 760 : 800,
          dark,
        });
        const shoot = name =>
          page.screenshot({
            path: path.join(directory, `${name}-${width}-${dark ? 'dark' : 'light'}.png`),
          });
        await login(page, 'olga', world.tokenOf('olga'));
        await page
          .locator('.number', {hasText: 'Phones connected'})
          .getByText('logins/s')
          .waitFor();
        await shoot('overview');
        await go(page, 'Send a test');
        await page.getByLabel('Device token').fill(token);
        await page.getByRole('button', {name: 'Send', exact: true}).click();
        const story = page.getByRole('region', {name: 'Story of the message'});
        await story.getByText('The app has it.').waitFor();
        await story.scrollIntoViewIfNeeded();
        await story.evaluate(element => element.scrollIntoView());
        await shoot('story');
        await page.context().close();
      }
    }
  } finally {
    await browser.close();
    await world.end();
  }
}

main(process.argv.slice(2)).catch(error => {
  console.error(`error: ${error.message}`);
  process.exit(1);
});
