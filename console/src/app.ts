// The frame around the screens: who is logged in, the menu, and which screen is open.

import * as api from './api';
import {fill, h} from './dom';
import {problem} from './widgets';
import {devicesScreen} from './screens/devices';
import {fleetScreen} from './screens/fleet';
import {loginScreen} from './screens/login';
import {messageScreen} from './screens/message';
import {overviewScreen} from './screens/overview';
import {quotasScreen} from './screens/quotas';
import {receiptsScreen} from './screens/receipts';
import {sendScreen} from './screens/send';
import {teamScreen} from './screens/team';
import {teamsScreen} from './screens/teams';
import {topicsScreen} from './screens/topics';
import type {Context, Maker, Screen} from './screens/screen';

interface Place {
  path: string;
  title: string;
  /** Without this method there is nothing to do there. */
  needs: string;
  /** It is about the server: nothing for who administers one team. */
  server?: boolean;
  make: Maker;
}

// In the order of the menu. What somebody may not do is not in it.
const PLACES: Place[] = [
  {path: 'overview', title: 'Overview', needs: '', server: true, make: overviewScreen},
  {path: 'fleet', title: 'Fleet', needs: '', server: true, make: fleetScreen},
  {path: 'message', title: 'Message', needs: 'SupportService/GetMessage', make: messageScreen},
  {path: 'send', title: 'Send a test', needs: 'SupportService/SendTest', make: sendScreen},
  {
    path: 'receipts',
    title: 'Receipts',
    needs: 'SupportService/WatchReceipts',
    make: receiptsScreen,
  },
  {path: 'topics', title: 'Topics', needs: 'SupportService/ListTopics', make: topicsScreen},
  {path: 'teams', title: 'Teams', needs: 'AdminService/ListTeams', make: teamsScreen},
  {path: 'devices', title: 'Devices', needs: 'DeviceService/ListDevices', make: devicesScreen},
  {path: 'quotas', title: 'Quotas', needs: 'AdminService/GetQuota', make: quotasScreen},
];

export function start(app: HTMLElement): void {
  let context: Context | null = null;
  let screen: Screen | null = null;
  let main: HTMLElement | null = null;

  const close = () => {
    screen?.close();
    screen = null;
  };

  const may = (method: string) => method === '' || context!.who.may.includes(method);
  const places = () =>
    PLACES.filter(place => may(place.needs) && !(place.server && context!.who.team_id));
  const placeOf = (path: string) => places().find(place => place.path === path);

  /** Shows what the address names. */
  const route = () => {
    if (!context || !main) return;
    close();
    const [path = '', ...rest] = location.hash
      .replace(/^#\/?/, '')
      .split('/')
      .map(decodeURIComponent);
    const place = placeOf(path) ?? places()[0]!;
    const make = place.path === 'teams' && rest[0] ? teamScreen : place.make;
    screen = make(context, place === placeOf(path) ? rest : []);
    fill(main, screen.element);
    document.title = `${screen.title} · Bellwire`;
    for (const link of app.querySelectorAll('.menu a')) {
      if (link.getAttribute('href') === `#/${place.path}`)
        link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    const heading = main.querySelector('h1');
    heading?.setAttribute('tabindex', '-1');
    heading?.focus({preventScroll: true});
    window.scrollTo(0, 0);
  };

  const showLogin = (why = '') => {
    close();
    context = null;
    main = null;
    document.title = 'Log in · Bellwire';
    fill(app, loginScreen(why, showFrame));
  };

  const logout = async () => {
    await api.logout().catch(() => {});
    showLogin();
  };

  function showFrame(who: api.Who): void {
    context = {
      who,
      may,
      choice: {teamId: null, token: '', messageId: ''},
    };
    main = h('main', {id: 'main'});
    fill(
      app,
      h(
        'a',
        {
          class: 'skip',
          href: '#main',
          onclick: (event: Event) => {
            event.preventDefault();
            main?.querySelector('h1')?.focus();
          },
        },
        'To the content',
      ),
      h(
        'div',
        {class: 'frame'},
        h(
          'header',
          {class: 'side'},
          h(
            'a',
            {class: 'brand', href: '#/'},
            h('img', {src: '/favicon.svg', alt: '', width: 28, height: 28}),
            'Bellwire',
          ),
          h(
            'nav',
            {'aria-label': 'Console'},
            h(
              'ul',
              {class: 'menu'},
              places().map(place =>
                h('li', {}, h('a', {href: `#/${place.path}`}, place.title)),
              ),
            ),
          ),
          h(
            'div',
            {class: 'who'},
            h(
              'div',
              {},
              h('strong', {}, who.name),
              h('span', {class: 'quiet'}, who.role + (who.team_id ? `, ${who.team_id}` : '')),
            ),
            h('button', {type: 'button', onclick: logout}, 'Log out'),
          ),
        ),
        main,
      ),
    );
    route();
  }

  api.setOnLoggedOut(() => {
    if (context) showLogin('Your login has ended. Log in again.');
  });
  window.addEventListener('hashchange', route);

  const begin = async () => {
    try {
      const who = await api.who();
      if (who) showFrame(who);
      else showLogin();
    } catch (error) {
      fill(app, h('main', {}, h('h1', {}, 'Bellwire'), problem(error, begin)));
    }
  };
  void begin();
}
