import {live} from '../api';
import {fill, h} from '../dom';
import * as format from '../format';
import {teamPicker} from '../teams';
import {badge, field, liveMark, note, problem, select} from '../widgets';
import type {Maker} from './screen';

interface WatchedReceipt {
  token: string;
  messageId: string;
  appId: string;
  receipt?: {step: string; time: string; detail: string};
}
/** What came since the last time: at most so many as the server tells a page. */
interface Told {
  receipts: WatchedReceipt[];
  cursor: string;
  left_out?: boolean;
}

// Rows that are kept. A page is no archive.
const MOST_ROWS = 200;
// How long it says that receipts are left out, after the last time.
const BUSY_MS = 10_000;
// How often rows are drawn: a busy team has thousands a second.
const DRAW_MS = 100;
const BAD = new Set(['EXPIRED', 'OVERFLOWED', 'UNREGISTERED', 'NOT_CONNECTED']);
const ENDS = [
  'APP_ACKED',
  'EXPIRED',
  'COLLAPSED',
  'OVERFLOWED',
  'RECALLED',
  'UNREGISTERED',
  'NOT_CONNECTED',
];

function row(teamId: string, event: WatchedReceipt): HTMLElement {
  const {step, time, detail} = event.receipt!;
  return h(
    'tr',
    {},
    h('td', {class: 'figures', 'data-label': 'Time'}, h('span', {}, format.clock(time))),
    h(
      'td',
      {'data-label': 'Step'},
      h(
        'span',
        {},
        badge(format.word(step), step === 'APP_ACKED' ? 'good' : BAD.has(step) ? 'bad' : ''),
      ),
    ),
    h('td', {'data-label': 'App'}, h('span', {}, event.appId)),
    h(
      'th',
      {scope: 'row', 'data-label': 'Message'},
      h(
        'span',
        {},
        event.messageId
          ? h(
              'a',
              {
                href: `#/message/${teamId}/${event.token}/${event.messageId}`,
              },
              h('code', {}, event.messageId),
            )
          : 'the token died',
        detail ? ` ${detail}` : '',
      ),
    ),
  );
}

export const receiptsScreen: Maker = context => {
  const mark = liveMark();
  const rows = h('tbody', {});
  const table = h(
    'table',
    {class: 'stack', hidden: true},
    h('caption', {class: 'unseen'}, 'Receipts, the latest first'),
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ['Time', 'Step', 'App', 'Message'].map(name => h('th', {scope: 'col'}, name)),
      ),
    ),
    rows,
  );
  const empty = h('p', {class: 'quiet'}, 'From now on each step of each message shows here.');
  const trouble = h('div', {});
  const busy = h(
    'p',
    {class: 'quiet', role: 'status', hidden: true},
    'More happens than a page can show: some receipts are left out. ',
    'A backend that has to see each one uses WatchReceipts.',
  );
  const steps = select([
    ['', 'all steps'],
    ['ends', 'ends only'],
    ['bad', 'failures only'],
  ]);
  const pause = h(
    'button',
    {
      type: 'button',
      'aria-pressed': 'false',
      onclick: () => {
        paused = !paused;
        pause.setAttribute('aria-pressed', String(paused));
        pause.textContent = paused ? 'Go on' : 'Pause';
        open();
      },
    },
    'Pause',
  );
  let paused = false;
  let close = () => {};
  let timer = 0;
  let cursor = '';
  let busyUntil = 0;
  let team = '';
  let waiting: WatchedReceipt[] = [];

  const isWanted = (step: string) =>
    steps.value === '' || (steps.value === 'ends' ? ENDS.includes(step) : BAD.has(step));
  const draw = () => {
    timer = 0;
    if (waiting.length === 0) return;
    rows.prepend(
      ...waiting
        .slice(-MOST_ROWS)
        .reverse()
        .map(event => row(team, event)),
    );
    while (rows.childElementCount > MOST_ROWS) rows.lastElementChild!.remove();
    waiting = [];
    table.hidden = false;
    empty.hidden = true;
  };
  function open(): void {
    close();
    close = () => {};
    mark.set(true, paused || !team);
    if (paused || !team) return;
    close = live<Told>('receipts', () => ({team_id: team, cursor}), {
      onEvent: told => {
        cursor = told.left_out ? '' : told.cursor;
        if (told.left_out) busyUntil = Date.now() + BUSY_MS;
        busy.hidden = Date.now() > busyUntil;
        waiting.push(...told.receipts.filter(one => one.receipt && isWanted(one.receipt.step)));
        waiting = waiting.slice(-MOST_ROWS);
        if (!timer) timer = window.setTimeout(draw, DRAW_MS);
      },
      onState: connected => mark.set(connected),
      onEnd: error => {
        mark.set(true, true);
        fill(trouble, error ? problem(error, open) : note('', 'The server ended the stream.'));
      },
    });
  }
  const {control, ready} = teamPicker(context, teamId => {
    team = teamId;
    cursor = '';
    waiting = [];
    rows.replaceChildren();
    trouble.replaceChildren();
    table.hidden = true;
    empty.hidden = false;
    open();
  });
  ready.catch(error => fill(trouble, problem(error)));
  return {
    title: 'Receipts',
    element: h(
      'div',
      {class: 'story'},
      h('div', {class: 'head'}, h('h1', {}, 'Receipts'), mark.element),
      h(
        'section',
        {class: 'card', 'aria-label': 'Receipts'},
        h('div', {class: 'fields'}, field('Team', control), field('Show', steps)),
        h('div', {}, pause),
        trouble,
        busy,
        empty,
        table,
      ),
    ),
    close: () => {
      close();
      window.clearTimeout(timer);
    },
  };
};
