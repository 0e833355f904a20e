import {call} from '../api';
import {fill, h} from '../dom';
import * as format from '../format';
import {listTeams} from '../teams';
import {field, problem, select, table} from '../widgets';
import type {Maker} from './screen';

interface Quota {
  messagesPerSecond?: string;
  messagesPerDay?: string;
  bytesWaiting?: string;
  receiptStreams?: string;
  topics?: string;
}
interface Report {
  subject: {kind: string; id: string};
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

const limit = (value: string | undefined, render = (n: number) => format.count(n)) =>
  value === undefined ? '–' : Number(value) < 0 ? 'no limit' : render(Number(value));

/** What teams may do, and how much of it they use. Limits are set by `bellwire quota`. */
export const quotasScreen: Maker = context => {
  const list = h('div', {});
  const control = select([['', 'The server: what holds for all']]);
  const show = async () => {
    try {
      const answer = await call<{quotas?: Report[]}>('AdminService/GetQuota', {
        teamId: control.value,
      });
      fill(
        list,
        table(
          'Quotas',
          [
            {
              name: 'Of',
              head: true,
              cell: (report: Report) => [
                format.word(report.subject.kind),
                ' ',
                h('code', {}, report.subject.id),
              ],
            },
            {
              name: 'Messages/s',
              figure: true,
              cell: report => limit(report.holds?.messagesPerSecond),
            },
            {
              name: 'Today',
              figure: true,
              cell: report => [
                report.usage ? `${format.count(Number(report.usage.messagesToday))} of ` : '',
                limit(report.holds?.messagesPerDay),
              ],
            },
            {
              name: 'Waiting',
              figure: true,
              cell: report => [
                report.usage ? `${format.bytes(Number(report.usage.bytesWaiting))} of ` : '',
                limit(report.holds?.bytesWaiting, format.bytes),
              ],
            },
            {
              name: 'Refused',
              figure: true,
              cell: report => (report.usage ? format.count(Number(report.usage.refused)) : '–'),
            },
          ],
          answer.quotas ?? [],
          'Nothing is limited.',
        ),
      );
    } catch (error) {
      fill(list, problem(error, show));
    }
  };
  control.addEventListener('change', show);
  listTeams()
    .then(teams => {
      for (const team of teams)
        control.append(h('option', {value: team.teamId}, `${team.name} (${team.teamId})`));
      if (teams.some(team => team.teamId === context.choice.teamId))
        control.value = context.choice.teamId!;
    })
    .catch(() => {})
    .finally(show);
  return {
    title: 'Quotas',
    element: h(
      'div',
      {class: 'story'},
      h('h1', {}, 'Quotas'),
      h(
        'section',
        {class: 'card', 'aria-label': 'Quotas'},
        field('Whose', control),
        h('div', {class: 'scroll'}, list),
      ),
    ),
    close: () => {},
  };
};
