// Every program of the fleet: what runs where, in which version, and how it is.

import {live} from '../api';
import {fill, h, type Child} from '../dom';
import * as format from '../format';
import {stateNotes, type Overview} from '../overview';
import {badge, liveMark, note, table} from '../widgets';
import type {Maker} from './screen';

interface Program {
  /** Empty: the process that serves the page. */
  address: string;
  program?: string;
  overview?: Overview;
  error?: string;
}
interface Look {
  time: string;
  programs: Program[];
  all: Overview;
}

const OWN = 'this process';
// As the alerts have it.
const SOON_MS = 14 * 86_400_000;

function stateOf({overview, error}: Program): Child {
  if (!overview) return [badge('does not answer', 'bad'), h('div', {class: 'small quiet'}, error)];
  if (overview.store_ok === false) return badge('its store fails', 'bad');
  return overview.ready ? badge('ready', 'good') : badge('not ready', 'warn');
}

/** The certificate that ends first. */
function certificateOf(overview: Overview | undefined): Child {
  const first = overview?.certificates[0];
  if (!first) return '–';
  if (!first.ends) return badge(`${first.name}: can't be read`, 'bad');
  const soon = Date.parse(first.ends) - Date.now() < SOON_MS;
  const text = `${first.name}: ${format.day(first.ends)}`;
  return soon ? badge(text, 'warn') : text;
}

/** Rolling upgrades pass through it; a fleet should not stay so. */
function versionsNote(programs: Program[]): Child {
  const versions = new Set(programs.flatMap(one => (one.overview ? [one.overview.version] : [])));
  if (versions.size < 2) return null;
  return note(
    'warn',
    `The programs are of ${versions.size} versions`,
    h('span', {}, `${[...versions].sort().join(', ')}. Finish the upgrade.`),
  );
}

export const fleetScreen: Maker = () => {
  const mark = liveMark();
  const status = h('div', {class: 'story', role: 'status'});
  const numbers = h('dl', {class: 'numbers'});
  const programs = h('section', {class: 'card', 'aria-label': 'Programs'});
  let said = '';

  const number = (name: string, value: string, more: Child = null) =>
    h('div', {class: 'number'}, h('dt', {}, name), h('dd', {}, value), more && h('dd', {}, more));

  const show = ({programs: all, all: together}: Look) => {
    const answering = all.filter(one => one.overview).length;
    const summary = JSON.stringify([
      together.problems.map(problem => problem.summary),
      all.map(one => one.overview?.version),
    ]);
    // Only what changes is said aloud.
    if (summary !== said) {
      fill(
        status,
        answering < all.length
          ? note(
              'bad',
              `${all.length - answering} of ${all.length} programs do not answer`,
              h('span', {}, 'Start them, or see to the network between here and there.'),
            )
          : null,
        versionsNote(all),
        stateNotes(together.problems),
      );
    }
    said = summary;
    fill(
      numbers,
      number('Programs that answer', `${answering} of ${all.length}`),
      number('Phones connected', format.count(together.sessions)),
      number('Sends each second', format.rate(together.rates?.sends)),
      number('Logins each second', format.rate(together.rates?.logins)),
    );
    fill(
      programs,
      h('h2', {}, 'Programs'),
      table(
        'Programs of the fleet',
        [
          {
            name: 'Program',
            head: true,
            cell: (one: Program) => [
              one.program ?? '?',
              h('div', {class: 'small quiet'}, h('code', {}, one.address || OWN)),
            ],
          },
          {name: 'State', cell: stateOf},
          {name: 'Version', cell: one => one.overview?.version ?? '–'},
          {
            name: 'Runs since',
            cell: one => (one.overview?.started ? format.time(one.overview.started) : '–'),
          },
          {name: 'Phones', figure: true, cell: one => format.count(one.overview?.sessions)},
          {name: 'Sends/s', figure: true, cell: one => format.rate(one.overview?.rates?.sends)},
          {
            name: 'Processors',
            figure: true,
            cell: one => one.overview?.rates?.cpus.toFixed(1) ?? '–',
          },
          {name: 'Memory', figure: true, cell: one => format.bytes(one.overview?.resident_bytes)},
          {name: 'First certificate to end', cell: one => certificateOf(one.overview)},
        ],
        all,
        'No program shows itself.',
      ),
      all.length === 1 && all[0]!.program !== 'bellwire-serve'
        ? h(
            'p',
            {class: 'quiet'},
            'The other programs show here once ',
            h('code', {}, '--console_fleet'),
            ' names their metrics addresses.',
          )
        : null,
    );
  };
  const close = live<Look>('fleet', () => ({}), {
    onEvent: show,
    onState: connected => mark.set(connected),
    onEnd: error => fill(status, note('bad', error?.message ?? 'The server ended it.')),
  });
  return {
    title: 'Fleet',
    element: h(
      'div',
      {class: 'story'},
      h('div', {class: 'head'}, h('h1', {}, 'Fleet'), mark.element),
      status,
      numbers,
      programs,
    ),
    close,
  };
};
