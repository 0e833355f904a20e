import {live} from '../api';
import {fill, h, type Child} from '../dom';
import * as format from '../format';
import {stateNotes, type Latency, type Overview} from '../overview';
import {badge, liveMark, note, spark, table} from '../widgets';
import type {Maker} from './screen';

// Two minutes of looks.
const REMEMBERED = 60;

const QUEUES: Record<string, string> = {
  sends: 'Sends that wait for the registry',
  web_pushes: 'of them, to subscriptions',
  ttl_zero_sends: 'Sends with ttl 0 that wait for phones',
  http_connections: 'connections of backends',
  http_memory_bytes: 'memory of their requests',
  device_sockets: 'sockets of phones',
  logins: 'phones that log in',
  registry_teams: 'operations of teams for the writer',
  registry_devices: 'operations of phones for the writer',
  registry_key_look_ups: 'look-ups of keys',
  registry_ttl_zero: 'messages with ttl 0 on their way',
  store_devices: 'phones of the store',
  new_devices: 'new phones of the hour',
};

function number(name: string, value: string, more: Child = null, values: number[] | null = null) {
  return h(
    'div',
    {class: 'number'},
    h('dt', {}, name),
    h('dd', {}, value),
    more ? h('dd', {}, more) : null,
    values ? h('dd', {}, spark(values)) : null,
  );
}

function latency(name: string, of: Latency | undefined): HTMLElement {
  return number(
    name,
    format.duration(of?.p50),
    of ? `99 of 100 within ${format.duration(of.p99)}` : 'nothing just now',
  );
}

export const overviewScreen: Maker = () => {
  const mark = liveMark();
  const status = h('div', {class: 'story', role: 'status'});
  const numbers = h('dl', {class: 'numbers'});
  const queues = h('section', {class: 'card', 'aria-label': 'Bounded places'});
  const server = h('section', {class: 'card', 'aria-label': 'Server'});
  const sends: number[] = [];
  const sessions: number[] = [];
  let said = '';

  const remember = (values: number[], value: number | undefined) => {
    if (value === undefined) return;
    values.push(value);
    if (values.length > REMEMBERED) values.shift();
  };

  const show = (overview: Overview) => {
    const problems = JSON.stringify(overview.problems.map(problem => problem.summary));
    // Only what changes is said aloud.
    if (problems !== said) fill(status, stateNotes(overview.problems));
    said = problems;
    remember(sends, overview.rates?.sends);
    remember(sessions, overview.sessions);
    const rates = overview.rates;
    fill(
      numbers,
      number(
        'Phones connected',
        format.count(overview.sessions),
        rates ? `${format.rate(rates.logins)} logins/s` : null,
        sessions,
      ),
      number(
        'Sends each second',
        format.rate(rates?.sends),
        rates ? `${format.rate(rates.refused)} refused, ${format.rate(rates.failed)} failed` : null,
        sends,
      ),
      latency('Answer to a Send', overview.send),
      latency('Until the phone has it', overview.to_phone),
      latency('Until the app has it', overview.to_app),
      latency('Commit to disk', overview.commit),
      number('Processors busy', rates ? rates.cpus.toFixed(1) : format.count(undefined)),
      number(
        'Memory',
        format.bytes(overview.resident_bytes),
        overview.bytes_in_flight === undefined
          ? null
          : `${format.bytes(overview.bytes_in_flight)} on the way to phones`,
      ),
    );
    fill(
      queues,
      h('h2', {}, 'Bounded places'),
      table(
        'How full each bounded place is',
        [
          {
            name: 'Place',
            head: true,
            cell: queue => [
              QUEUES[queue.name] ?? queue.name,
              ' ',
              h('code', {class: 'small quiet'}, queue.name),
            ],
          },
          {
            name: 'Full',
            figure: true,
            cell: queue => [
              h('meter', {
                min: 0,
                max: Math.max(queue.bound, 1),
                high: queue.bound * 0.8,
                value: queue.length,
                'aria-label': `${queue.name} full`,
              }),
              ' ',
              format.share(queue.length, queue.bound),
            ],
          },
        ],
        overview.queues.slice(0, 8),
        'This process has none.',
      ),
    );
    fill(
      server,
      h('h2', {}, 'Server'),
      h(
        'dl',
        {class: 'pairs'},
        h('dt', {}, 'Version'),
        h('dd', {}, overview.version),
        h('dt', {}, 'Running since'),
        h('dd', {}, format.time(overview.started)),
        h('dt', {}, 'Store'),
        h(
          'dd',
          {},
          overview.store_ok === undefined
            ? 'in another process'
            : overview.store_ok
              ? badge('works', 'good')
              : badge('fails', 'bad'),
        ),
        h('dt', {}, 'Descriptors'),
        h(
          'dd',
          {},
          `${format.count(overview.open_descriptors)} of ${format.count(overview.max_descriptors)}`,
        ),
        overview.certificates.map(certificate => [
          h('dt', {}, `Certificate ${certificate.name}`),
          h(
            'dd',
            {},
            certificate.ends
              ? `until ${format.day(certificate.ends)}`
              : badge("can't be read", 'bad'),
          ),
        ]),
      ),
    );
  };
  const close = live<Overview>('overview', () => ({}), {
    onEvent: show,
    onState: connected => mark.set(connected),
    onEnd: error => fill(status, note('bad', error?.message ?? 'The server ended it.')),
  });
  return {
    title: 'Overview',
    element: h(
      'div',
      {class: 'story'},
      h('div', {class: 'head'}, h('h1', {}, 'Overview'), mark.element),
      status,
      numbers,
      h('div', {class: 'columns'}, queues, server),
    ),
    close,
  };
};
