// Debian's Firefox ESR, headless, driven by puppeteer-core over WebDriver BiDi.
'use strict';
const {spawn} = require('child_process');
const fs = require('fs');
const path = require('path');
const puppeteer = require('puppeteer-core');

const SETTINGS = {
  // The driver would switch push off, and more.
  'remote.prefs.recommended': false,
  // What a person would click.
  'permissions.default.desktop-notification': 1,
  // No pages and no traffic of its own.
  'app.normandy.enabled': false,
  'browser.aboutwelcome.enabled': false,
  'browser.newtabpage.enabled': false,
  'browser.safebrowsing.downloads.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.page': 0,
  'datareporting.healthreport.uploadEnabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.getAddons.cache.enabled': false,
  'media.gmp-manager.url': 'http://127.0.0.1:9/',
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'http://127.0.0.1:9/',
  'toolkit.telemetry.reportingpolicy.firstRun': false,
};

// Makes a profile with the settings of a test. `owner` is {uid, gid}, or undefined for our own.
function makeProfile(directory, owner) {
  fs.mkdirSync(directory, {recursive: true, mode: 0o700});
  const lines = Object.entries(SETTINGS).map(
      ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
  const file = path.join(directory, 'user.js');
  fs.writeFileSync(file, lines.join(''));
  if (owner) {
    fs.chownSync(directory, owner.uid, owner.gid);
    fs.chownSync(file, owner.uid, owner.gid);
  }
}

class Firefox {
  // `home` is where it may write; `owner` as above.
  static async start(profile, home, owner) {
    const firefox = new Firefox();
    firefox.process = spawn(
        'firefox-esr',
        ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0',
         'about:blank'],
        {env: {PATH: process.env.PATH, HOME: home, MOZ_HEADLESS: '1', LANG: 'C.UTF-8'},
         cwd: home, stdio: ['ignore', 'ignore', 'pipe'], ...owner});
    firefox.ended = new Promise(done => firefox.process.once('exit', done));
    let log = '';
    const address = await new Promise((resolve, reject) => {
      firefox.process.on('error', reject);
      firefox.process.once('exit', code => reject(new Error(`Firefox ended (${code}): ${log}`)));
      firefox.process.stderr.on('data', piece => {
        log = (log + piece).slice(-10000);
        const found = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(log);
        if (found) resolve(found[1]);
      });
    });
    firefox.browser = await puppeteer.connect(
        {browserWSEndpoint: address + '/session', protocol: 'webDriverBiDi'});
    return firefox;
  }

  async open(url) {
    const page = await this.browser.newPage();
    await page.goto(url);
    return page;
  }

  // Closes it as its user would.
  async close() {
    await this.browser.close().catch(() => {});
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 20000);
    await this.ended;
    clearTimeout(timer);
  }

  kill() {
    this.process.kill('SIGKILL');
  }
}

module.exports = {Firefox, makeProfile};
