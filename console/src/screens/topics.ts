import {call} from '../api';
import {fill, h} from '../dom';
import * as format from '../format';
import {teamPicker} from '../teams';
import {badge, field, form, input, pairs, problem, table} from '../widgets';
import type {Maker} from './screen';

interface Topic {
  name: string;
  subscribers: string;
}
interface TopicMessage {
  messageId: string;
  topic: string;
  condition: string;
  state: string;
  createTime: string;
  endTime?: string;
  subscribers: string;
  sent: string;
  passedOver: string;
  steps?: {step: string; messages: string}[];
}

const PAGE = 50;
// While a fan-out runs; when it has ended its messages go on for a while.
const LOOK_MS = 1000;
const RUNS = new Set(['WAITING', 'RUNNING', 'RECALLING']);

function progress(message: TopicMessage): HTMLElement {
  const done = Number(message.sent) + Number(message.passedOver);
  const all = Math.max(Number(message.subscribers), done);
  const runs = RUNS.has(message.state);
  return h(
    'div',
    {class: 'story'},
    h(
      'div',
      {class: 'head'},
      h(
        'p',
        {class: 'headline', role: 'status'},
        runs
          ? `It is being sent: ${format.share(done, all)}`
          : `Its fan-out has ended: ${format.word(message.state)}`,
      ),
      badge(format.word(message.state), runs ? 'warn' : 'good'),
    ),
    h('progress', {
      max: Math.max(all, 1),
      value: runs ? done : Math.max(all, 1),
      'aria-label': 'Progress of the fan-out',
    }),
    pairs([
      ['Target', h('code', {}, message.topic || message.condition)],
      ['Accepted', format.time(message.createTime)],
      ['Ended', message.endTime ? format.time(message.endTime) : ''],
      ['Subscribers then', format.count(Number(message.subscribers))],
      ['Sent', format.count(Number(message.sent))],
      ['Passed over', format.count(Number(message.passedOver))],
    ]),
    table(
      'Steps of its messages',
      [
        {
          name: 'Step',
          head: true,
          cell: (step: {step: string; messages: string}) => format.word(step.step),
        },
        {name: 'Messages', figure: true, cell: step => format.count(Number(step.messages))},
      ],
      message.steps ?? [],
      'None of its messages has come to a step yet.',
    ),
  );
}

export const topicsScreen: Maker = context => {
  const list = h('div', {});
  const found = h('div', {});
  const id = input({required: true});
  let team = '';
  let timer = 0;
  let pages: string[] = [''];

  const showPage = async () => {
    try {
      const answer = await call<{topics?: Topic[]; nextPageToken?: string}>(
        'SupportService/ListTopics',
        {teamId: team, pageSize: PAGE, pageToken: pages.at(-1)},
      );
      const move = (change: () => void) => () => {
        change();
        void showPage();
      };
      fill(
        list,
        table(
          'Topics',
          [
            {name: 'Topic', head: true, cell: (topic: Topic) => h('code', {}, topic.name)},
            {
              name: 'Subscribers',
              figure: true,
              cell: topic => format.count(Number(topic.subscribers)),
            },
          ],
          answer.topics ?? [],
          'Nobody is subscribed to any topic of this team.',
        ),
        pages.length > 1 || answer.nextPageToken
          ? h(
              'div',
              {class: 'row'},
              h(
                'button',
                {type: 'button', disabled: pages.length < 2, onclick: move(() => pages.pop())},
                'Back',
              ),
              h(
                'button',
                {
                  type: 'button',
                  disabled: !answer.nextPageToken,
                  onclick: move(() => pages.push(answer.nextPageToken!)),
                },
                'More',
              ),
            )
          : null,
      );
    } catch (error) {
      fill(list, problem(error, showPage));
    }
  };
  const look = async () => {
    window.clearTimeout(timer);
    const message = await call<TopicMessage>('SupportService/GetTopicMessage', {
      teamId: team,
      messageId: id.value.trim(),
    });
    fill(found, h('section', {class: 'card', 'aria-label': 'Topic message'}, progress(message)));
    if (!found.isConnected) return;
    timer = window.setTimeout(() => look().catch(error => fill(found, problem(error))), LOOK_MS);
  };
  const {control, ready} = teamPicker(context, teamId => {
    team = teamId;
    pages = [''];
    window.clearTimeout(timer);
    found.replaceChildren();
    if (team) void showPage();
    else fill(list, h('p', {class: 'quiet'}, 'There is no team yet.'));
  });
  ready.catch(error => fill(list, problem(error)));
  return {
    title: 'Topics',
    element: h(
      'div',
      {class: 'story'},
      h('h1', {}, 'Topics'),
      h('section', {class: 'card', 'aria-label': 'Topics'}, field('Team', control), list),
      h(
        'section',
        {class: 'card', 'aria-label': 'Look up a topic message'},
        h('h2', {}, 'How far is a topic message?'),
        form(
          'Look it up',
          field('Topic message id', id, 'What the Publish answered.'),
          async () => {
            found.replaceChildren();
            await look();
          },
        ),
      ),
      found,
    ),
    close: () => window.clearTimeout(timer),
  };
};
