// What becomes of one message, as the server tells it (gateway/story), live.

import {live, type ApiError} from './api';
import {fill, h} from './dom';
import * as format from './format';
import {badge, liveMark, pairs, problem} from './widgets';

export interface MessageName {
  teamId: string;
  token: string;
  messageId: string;
}

interface Story {
  headline: string;
  ended: boolean;
  arrived: boolean;
  steps: {step: string; time: string; place: string; what: string; detail?: string}[];
  waits?: string;
  at_latest?: string;
  to_do?: string;
}

interface Told {
  message: {
    messageId: string;
    appId: string;
    priority: string;
    deliverAt?: string;
    expiresAt?: string;
    deviceConnected: boolean;
    traceparent?: string;
  };
  story: Story;
}

const PLACES: Record<string, string> = {server: 'server', phone: 'phone', app: 'app'};

function stepItem(story: Story, index: number, isFresh: boolean): HTMLElement {
  const step = story.steps[index]!;
  const before = story.steps[index - 1];
  const isLast = index === story.steps.length - 1;
  const took = before ? (Date.parse(step.time) - Date.parse(before.time)) / 1000 : 0;
  const kind = isLast && story.ended ? (story.arrived ? 'arrived' : 'failed') : '';
  return h(
    'li',
    {class: `${kind} ${isFresh ? 'fresh' : ''}`},
    h(
      'div',
      {},
      h('span', {class: 'what'}, step.what),
      ' ',
      badge(PLACES[step.place] ?? step.place),
      h(
        'div',
        {class: 'small quiet'},
        h('code', {}, step.step),
        step.detail ? ` ${step.detail}` : '',
      ),
    ),
    h(
      'time',
      {datetime: step.time, class: 'figures quiet'},
      format.clock(step.time),
      before ? h('div', {}, `+${format.duration(Math.max(took, 0))}`) : null,
    ),
  );
}

/** The story of a message, until the answer is called. */
export function storyOf(name: MessageName): {element: HTMLElement; close: () => void} {
  const mark = liveMark();
  // Said aloud as it changes; the steps are there to be read.
  const headline = h('p', {class: 'headline', role: 'status'}, 'Looking it up…');
  const more = h('div', {class: 'story'});
  const element = h(
    'section',
    {class: 'card story', 'aria-label': 'Story of the message'},
    h('div', {class: 'head'}, headline, mark.element),
    more,
  );
  let shown = 0;

  const show = ({message, story}: Told) => {
    if (headline.textContent !== story.headline) headline.textContent = story.headline;
    const steps = h(
      'ol',
      {class: 'steps'},
      story.steps.map((_, i) => stepItem(story, i, shown > 0 && i >= shown)),
      story.waits
        ? h('li', {class: 'waits'}, h('div', {}, `It waits ${story.waits}.`))
        : null,
    );
    shown = story.steps.length;
    fill(
      more,
      steps,
      story.to_do ? h('p', {}, h('strong', {}, 'To do: '), `${story.to_do}.`) : null,
      pairs([
        ['Message', h('code', {}, message.messageId)],
        ['App', message.appId],
        [
          'Priority',
          format.word(message.priority, 'PRIORITY_').replace('unspecified', 'not known any more'),
        ],
        ['Not before', message.deliverAt ? format.time(message.deliverAt) : ''],
        ['Expires', message.expiresAt ? format.time(message.expiresAt) : ''],
        ['Phone', message.deviceConnected ? 'connected' : 'not connected'],
        ['Trace', message.traceparent ? h('code', {}, message.traceparent) : ''],
      ]),
    );
  };
  const close = live<Told>(
    'message',
    () => ({
      team_id: name.teamId,
      token: name.token,
      message_id: name.messageId,
      utc_offset_minutes: -new Date().getTimezoneOffset(),
    }),
    {
      onEvent: show,
      onState: connected => mark.set(connected),
      onEnd: (error: ApiError | null) => {
        mark.set(true, true);
        if (!error) return;
        headline.textContent = 'There is nothing to tell.';
        fill(more, problem(error));
      },
    },
  );
  return {element, close};
}
