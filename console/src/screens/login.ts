import {login, type Who} from '../api';
import {h} from '../dom';
import {field, form, input, note} from '../widgets';

/** Asks for an administrator's name and token; `done` gets who that is. */
export function loginScreen(why: string, done: (who: Who) => void): HTMLElement {
  const name = input({name: 'username', required: true, autocomplete: 'username', autofocus: true});
  const token = input({
    type: 'password',
    name: 'password',
    required: true,
    autocomplete: 'current-password',
  });
  const element = h(
    'main',
    {class: 'login'},
    h(
      'div',
      {class: 'card'},
      h(
        'h1',
        {class: 'brand'},
        h('img', {src: '/favicon.svg', alt: '', width: 28, height: 28}),
        'Bellwire',
      ),
      why ? note('warn', why) : null,
      form(
        'Log in',
        [
          field(
            'Administrator',
            name,
            "As bellwire admin list shows it; admin.token for the server's own.",
          ),
          field('Token', token, 'What bellwire admin create answered.'),
        ],
        async () => done(await login(name.value.trim(), token.value.trim())),
      ),
    ),
  );
  queueMicrotask(() => name.focus());
  return element;
}
