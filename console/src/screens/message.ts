import {fill, h} from '../dom';
import {token as tokenIn} from '../format';
import {storyOf} from '../story';
import {teamPicker} from '../teams';
import {field, form, input, problem} from '../widgets';
import type {Maker} from './screen';

/** Looks up any message. The address may name it: #/message/TEAM/TOKEN/ID, with "-" for no team. */
export const messageScreen: Maker = (context, rest) => {
  if (rest.length === 3) {
    context.choice = {
      teamId: rest[0] === '-' ? '' : rest[0]!,
      token: rest[1]!,
      messageId: rest[2]!,
    };
  }
  const {control, ready} = teamPicker(context, () => {}, true);
  const token = input({required: true, value: context.choice.token});
  const id = input({required: true, value: context.choice.messageId});
  const story = h('div', {});
  let close = () => {};

  const show = () => {
    close();
    const name = {teamId: control.value, token: tokenIn(token.value), messageId: id.value.trim()};
    context.choice = name;
    const shown = storyOf(name);
    close = shown.close;
    fill(story, shown.element);
  };
  ready
    .then(() => {
      if (rest.length === 3) show();
    })
    .catch(error => fill(story, problem(error)));
  return {
    title: 'Message',
    element: h(
      'div',
      {class: 'story'},
      h('h1', {}, 'Where is a message?'),
      h(
        'section',
        {class: 'card', 'aria-label': 'Look up'},
        form(
          'Look it up',
          h(
            'div',
            {class: 'fields'},
            field('Team', control),
            field('Device token', token, 'Or the endpoint of a subscription.'),
            field('Message id', id, 'What the Send answered.'),
          ),
          async () => show(),
        ),
      ),
      story,
    ),
    close: () => close(),
  };
};
