import {call} from '../api';
import {fill, h} from '../dom';
import * as format from '../format';
import {storyOf} from '../story';
import {teamPicker} from '../teams';
import {field, form, input, note, problem, select} from '../widgets';
import type {Maker} from './screen';

interface Sent {
  messageId: string;
  outcome: string;
  duplicate: boolean;
}

const MAX_PAYLOAD_BYTES = 4096;

export const sendScreen: Maker = context => {
  const story = h('div', {});
  const payload = h('textarea', {}, 'Hello from the console');
  const hint = h('small', {class: 'quiet'});
  // What a subscription gets is encrypted for it, by who has its keys.
  const setSubscription = (isSubscription: boolean) => {
    payload.disabled = isSubscription;
    hint.textContent = isSubscription
      ? "A subscription's payload is encrypted by its sender: a test has none."
      : 'What the app receives, as it is.';
  };
  const {control, ready} = teamPicker(context, teamId => setSubscription(!teamId), true);
  ready.catch(error => fill(story, problem(error)));
  const token = input({required: true, value: context.choice.token});
  const priority = select([
    ['PRIORITY_HIGH', 'high: at once'],
    ['PRIORITY_NORMAL', 'normal: within 15 min'],
    ['PRIORITY_LOW', 'low: when the phone is used'],
  ]);
  const ttl = select([
    ['3600s', '1 hour'],
    ['86400s', '1 day'],
    ['2419200s', '28 days'],
    ['0s', 'now or never'],
    ['5s', '5 seconds'],
  ]);
  const delay = input({type: 'number', min: 0, max: 43200, value: 0});
  const collapse = input({maxlength: 64});
  let close = () => {};

  const send = async () => {
    close();
    story.replaceChildren();
    const text = payload.disabled ? '' : payload.value;
    const bytes = new TextEncoder().encode(text).length;
    if (bytes > MAX_PAYLOAD_BYTES) {
      throw new Error(`The payload has ${bytes} bytes; ${MAX_PAYLOAD_BYTES} are the most.`);
    }
    const minutes = Number(delay.value);
    const message: Record<string, unknown> = {
      token: format.token(token.value),
      payload: format.base64(text),
      priority: priority.value,
      ttl: ttl.value,
      collapseKey: collapse.value,
      // A retry of the browser sends it once.
      messageId: crypto.randomUUID?.() ?? '',
    };
    if (minutes > 0) message.deliverAt = new Date(Date.now() + minutes * 60_000).toISOString();
    const name = {teamId: control.value, token: format.token(token.value), messageId: ''};
    const sent = await call<Sent>('SupportService/SendTest', {teamId: control.value, message});
    name.messageId = sent.messageId;
    context.choice = name;
    if (sent.outcome === 'NOT_CONNECTED' && !name.teamId) {
      fill(story, note('warn', 'The phone was not there, and a message with ttl 0 does not wait.'));
      return;
    }
    const shown = storyOf(name);
    close = shown.close;
    fill(story, shown.element);
    shown.element.scrollIntoView({block: 'nearest'});
  };

  return {
    title: 'Send a test',
    element: h(
      'div',
      {class: 'story'},
      h('h1', {}, 'Send a test message'),
      h(
        'section',
        {class: 'card', 'aria-label': 'Message'},
        form(
          'Send',
          [
            h(
              'div',
              {class: 'fields'},
              field('Team', control),
              field('Device token', token, 'Or the endpoint of a subscription.'),
            ),
            h('div', {}, field('Payload', payload), hint),
            h(
              'div',
              {class: 'fields'},
              field('Priority', priority),
              field('It may wait for', ttl),
              field('Deliver in (minutes)', delay),
              field('Collapse key', collapse),
            ),
          ],
          send,
        ),
      ),
      story,
    ),
    close: () => close(),
  };
};
