// What teams, apps, tokens and subscriptions may do, how much of it they use, and its change.

import {call} from '../api';
import {fill, h, type Child} from '../dom';
import * as format from '../format';
import {listTeams} from '../teams';
import {badge, field, form, input, problem, select, table} from '../widgets';
import type {Maker} from './screen';

interface Quota {
  messagesPerSecond?: string;
  messagesPerDay?: string;
  bytesWaiting?: string;
  receiptStreams?: string;
  topics?: string;
}
interface Subject {
  kind: string;
  id: string;
}
interface Report {
  subject: Subject;
  set?: Quota;
  holds?: Quota;
  usage?: {
    messagesToday: string;
    bytesWaiting: string;
    receiptStreams: string;
    topics: string;
    refused: string;
  };
}

interface Limit {
  name: keyof Quota;
  /** Of the field in protos/bellwire/admin/v1/admin.proto. */
  proto: string;
  title: string;
  hint: string;
  render?: (n: number) => string;
}
const LIMITS: Limit[] = [
  {
    name: 'messagesPerSecond',
    proto: 'messages_per_second',
    title: 'Messages a second',
    hint: 'On average; as many as one second allows may come at once',
  },
  {
    name: 'messagesPerDay',
    proto: 'messages_per_day',
    title: 'Messages a day',
    hint: 'From 00:00 UTC on',
  },
  {
    name: 'bytesWaiting',
    proto: 'bytes_waiting',
    title: 'Bytes that wait for phones',
    hint: 'Also 10M, 2G; each message counts 256 more',
    render: format.bytes,
  },
  {
    name: 'receiptStreams',
    proto: 'receipt_streams',
    title: 'Streams of receipts',
    hint: 'At a time, 64 at most',
  },
  {name: 'topics', proto: 'topics', title: 'Topics', hint: 'That somebody is subscribed to'},
];

const FACTORS: Record<string, number> = {'': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30};

function rendered(limit: Limit, value: string | undefined): string {
  if (value === undefined) return '–';
  if (Number(value) < 0) return 'no limit';
  return (limit.render ?? format.count)(Number(value));
}

/** What stands in the field of a limit: a number, "none", or nothing for the default. */
function typed(value: string | undefined): string {
  if (value === undefined) return '';
  return Number(value) < 0 ? 'none' : value;
}

/** The reverse, for the server: -1 is no limit. */
function parsed(limit: Limit, text: string): string {
  if (text === 'none') return '-1';
  const [, digits, unit] = /^([0-9]{1,15})([KMG]?)$/.exec(text) ?? [];
  const value = Number(digits) * (FACTORS[unit ?? ''] ?? NaN);
  if (!Number.isSafeInteger(value)) {
    throw new Error(
      `${limit.title} takes a number, "none", or nothing for what holds by default; not "${text}".`,
    );
  }
  return String(value);
}

/** As `bellwire quota set` names them. */
function nameOf({kind, id}: Subject): string {
  if (kind === 'TEAM') return id || 'teams';
  if (kind === 'APP') return id || 'apps';
  if (kind === 'TOKEN') return id ? `tokens:${id}` : 'tokens';
  return kind === 'SUBSCRIPTION' ? 'subscription' : 'subscriptions';
}
function wordsOf({kind, id}: Subject): string {
  if (kind === 'TEAM') return id ? 'The team' : 'Each team';
  if (kind === 'APP') return id ? 'The app' : 'Each app';
  if (kind === 'TOKEN') return id ? 'Each token of' : 'Each token';
  return kind === 'SUBSCRIPTION' ? 'Each subscription' : 'All subscriptions together';
}

/** Those of the reports, and the tokens of each app, for which nothing may be set yet. */
function subjectsOf(reports: Report[]): Subject[] {
  const subjects = reports.map(report => report.subject);
  const names = new Set(subjects.map(nameOf));
  for (const {kind, id} of [...subjects]) {
    const tokens = {kind: 'TOKEN', id};
    if (kind === 'APP' && id && !names.has(nameOf(tokens))) subjects.push(tokens);
  }
  return subjects;
}

function cell(report: Report, limit: Limit, used?: string): Child {
  return [
    used === undefined ? '' : `${(limit.render ?? format.count)(Number(used))} of `,
    rendered(limit, report.holds?.[limit.name]),
    report.set?.[limit.name] === undefined ? null : [' ', badge('set')],
  ];
}

/** The fields of a subject's limits, and what of them was changed. */
function limitFields(limits: Limit[], report: Report | undefined) {
  const controls = limits.map(limit => {
    const before = typed(report?.set?.[limit.name]);
    const control = input({value: before, placeholder: 'by default', inputmode: 'text'});
    const now =
      before === '' && report ? `; now ${rendered(limit, report.holds?.[limit.name])}` : '';
    return {limit, before, control, element: field(limit.title, control, limit.hint + now)};
  });
  return {
    element: h('div', {class: 'fields'}, controls.map(one => one.element)),
    changes() {
      const set: Record<string, string> = {};
      const clear: string[] = [];
      for (const {limit, before, control} of controls) {
        const text = control.value.trim();
        if (text === before) continue;
        if (text === '') clear.push(limit.proto);
        else set[limit.name] = parsed(limit, text);
      }
      return {set, clear};
    },
  };
}

export const quotasScreen: Maker = context => {
  const list = h('div', {});
  const below = h('div', {});
  const whose = select(context.who.team_id ? [] : [['', 'The server: what holds for all']]);
  const mayChange = context.may('AdminService/SetQuota');
  let reports: Report[] = [];

  const load = async () => {
    const answer = await call<{quotas?: Report[]}>('AdminService/GetQuota', {
      teamId: whose.value,
    });
    reports = answer.quotas ?? [];
  };

  /** A card in which the quota of one subject is changed. */
  const edit = (chosen: Subject) => {
    const subjects = subjectsOf(reports);
    const subject = select(
      subjects.map(one => [nameOf(one), `${wordsOf(one)} ${one.id}`.trim()]),
      nameOf(chosen),
    );
    const report = reports.find(one => nameOf(one.subject) === nameOf(chosen));
    const ofTeam = chosen.kind === 'TEAM';
    const limits = LIMITS.filter(limit =>
      report?.holds
        ? report.holds[limit.name] !== undefined
        : ofTeam || !['receiptStreams', 'topics'].includes(limit.name),
    );
    let fields = limitFields(limits, report);
    const box = h('div', {}, fields.element);
    subject.addEventListener('change', () => {
      const next = subjects.find(one => nameOf(one) === subject.value);
      if (next) edit(next).focus();
    });
    fill(
      below,
      h(
        'section',
        {class: 'card', 'aria-label': 'Change a quota'},
        h('h2', {}, 'Change a quota'),
        form(
          'Save',
          [
            field('Whose', subject),
            h(
              'p',
              {class: 'quiet small'},
              'A number, none for no limit, or nothing for what holds by default.',
            ),
            box,
          ],
          async say => {
            const changes = fields.changes();
            if (changes.clear.length === 0 && Object.keys(changes.set).length === 0) {
              throw new Error('Nothing was changed.');
            }
            await call('AdminService/SetQuota', {subject: chosen, ...changes});
            await load();
            showList();
            const now = reports.find(one => nameOf(one.subject) === nameOf(chosen));
            fields = limitFields(limits, now);
            fill(box, fields.element);
            say(h('p', {}, 'Saved. It holds from now on.'));
          },
        ),
      ),
    );
    return subject;
  };

  const showList = () => {
    fill(
      list,
      table(
        'Quotas',
        [
          {
            name: 'Of',
            head: true,
            cell: (report: Report) => [
              wordsOf(report.subject),
              ' ',
              h('code', {}, report.subject.id),
            ],
          },
          {name: 'A second', figure: true, cell: report => cell(report, LIMITS[0]!)},
          {
            name: 'Today',
            figure: true,
            cell: report => cell(report, LIMITS[1]!, report.usage?.messagesToday),
          },
          {
            name: 'Waiting',
            figure: true,
            cell: report => cell(report, LIMITS[2]!, report.usage?.bytesWaiting),
          },
          {
            name: 'Topics',
            figure: true,
            cell: report =>
              cell(
                report,
                LIMITS[4]!,
                report.holds?.topics === undefined ? undefined : report.usage?.topics,
              ),
          },
          {
            name: 'Refused',
            figure: true,
            cell: report => (report.usage ? format.count(Number(report.usage.refused)) : '–'),
          },
          ...(mayChange
            ? [
                {
                  name: '',
                  figure: true,
                  cell: (report: Report) =>
                    h(
                      'button',
                      {
                        type: 'button',
                        'aria-label': `Change ${nameOf(report.subject)}`,
                        onclick: () => edit(report.subject).focus(),
                      },
                      'Change',
                    ),
                },
              ]
            : []),
        ],
        reports,
        'Nothing is limited.',
      ),
    );
  };
  const show = async () => {
    below.replaceChildren();
    try {
      await load();
      showList();
    } catch (error) {
      fill(list, problem(error, show));
    }
  };
  whose.addEventListener('change', () => {
    if (whose.value) context.choice.teamId = whose.value;
    void show();
  });
  listTeams()
    .then(teams => {
      for (const team of teams)
        whose.append(h('option', {value: team.teamId}, `${team.name} (${team.teamId})`));
      if (teams.some(team => team.teamId === context.choice.teamId))
        whose.value = context.choice.teamId!;
    })
    .then(show)
    .catch(error => fill(list, problem(error, show)));
  return {
    title: 'Quotas',
    element: h(
      'div',
      {class: 'story'},
      h('h1', {}, 'Quotas'),
      h(
        'section',
        {class: 'card', 'aria-label': 'Quotas'},
        field('Whose quotas', whose),
        h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Table'}, list),
      ),
      below,
    ),
    close: () => {},
  };
};
