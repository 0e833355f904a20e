// Pieces that several screens are made of.

import {ApiError} from './api';
import {append, h, newId, svg, type Attributes, type Child} from './dom';

/** A labelled control. */
export function field(label: string, control: HTMLElement, hint = ''): HTMLElement {
  control.id ||= newId('field');
  const small = hint ? h('small', {id: newId('hint')}, hint) : null;
  if (small) control.setAttribute('aria-describedby', small.id);
  return h('div', {class: 'field'}, h('label', {for: control.id}, label), control, small);
}

export const input = (attributes: Attributes = {}) =>
  h('input', {type: 'text', autocomplete: 'off', spellcheck: 'false', ...attributes});

export function select(options: [value: string, text: string][], chosen = ''): HTMLSelectElement {
  return h(
    'select',
    {},
    options.map(([value, text]) => h('option', {value, selected: value === chosen}, text)),
  );
}

export interface Column<T> {
  name: string;
  cell: (row: T) => Child;
  /** A figure: to the right of its column. */
  figure?: boolean;
  /** Names the row, for those who hear the table. */
  head?: boolean;
}

/** A table; on a narrow screen each row becomes a block. `empty` is shown in its place. */
export function table<T>(
  caption: string,
  columns: Column<T>[],
  rows: T[],
  empty: Child,
): HTMLElement {
  if (rows.length === 0) return h('p', {class: 'quiet'}, empty);
  return h(
    'table',
    {class: 'stack'},
    h('caption', {class: 'unseen'}, caption),
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        columns.map(column =>
          h(
            'th',
            {scope: 'col', class: column.figure ? 'right' : null},
            column.name || h('span', {class: 'unseen'}, 'Actions'),
          ),
        ),
      ),
    ),
    h(
      'tbody',
      {},
      rows.map(row =>
        h(
          'tr',
          {},
          columns.map(column =>
            h(
              column.head ? 'th' : 'td',
              {
                scope: column.head ? 'row' : null,
                class: column.figure ? 'right figures' : null,
                'data-label': column.name || null,
              },
              h('span', {}, column.cell(row)),
            ),
          ),
        ),
      ),
    ),
  );
}

export function pairs(entries: [name: string, value: Child][]): HTMLElement {
  return h(
    'dl',
    {class: 'pairs'},
    entries
      .filter(([, value]) => value !== '' && value !== null)
      .map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
  );
}

export const badge = (text: string, kind = '') => h('span', {class: `badge ${kind}`}, text);

export function note(kind: 'good' | 'warn' | 'bad' | '', title: string, ...more: Child[]) {
  return h('div', {class: `note ${kind}`}, h('strong', {}, title), more);
}

/** What went wrong, with a way to try again. */
export function problem(error: unknown, again?: () => void): HTMLElement {
  const text = error instanceof Error ? error.message : String(error);
  const reason = error instanceof ApiError ? error.reason : '';
  return h(
    'div',
    {class: 'note bad', role: 'alert'},
    h('strong', {}, text),
    reason ? h('span', {class: 'small quiet'}, reason) : null,
    again ? h('div', {}, h('button', {type: 'button', onclick: again}, 'Try again')) : null,
  );
}

/** Shows whether events come. */
export function liveMark(): {element: HTMLElement; set(connected: boolean, done?: boolean): void} {
  const element = h('span', {class: 'live', role: 'status'}, 'connecting');
  return {
    element,
    set(connected, done = false) {
      element.hidden = done;
      element.classList.toggle('lost', !connected);
      element.textContent = connected ? 'live' : 'no connection to the server; trying again';
    },
  };
}

/** The last values as a line. */
export function spark(values: number[]): SVGElement {
  const width = 100;
  const height = 30;
  const most = Math.max(...values, 1e-9);
  const step = width / Math.max(values.length - 1, 1);
  const points = values.map(
    (value, i) =>
      `${(i * step).toFixed(1)},${(height - 2 - (value / most) * (height - 4)).toFixed(1)}`,
  );
  return svg(
    'svg',
    {viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true'},
    values.length > 1 ? svg('polyline', {class: 'spark', points: points.join(' ')}) : null,
  );
}

/**
 * Asks before something that can't be taken back. With `word`, it has to be typed. `act` is what
 * follows; its error is shown, and the question stays.
 */
export function confirm(
  title: string,
  text: Child,
  button: string,
  act: () => Promise<void>,
  word = '',
): void {
  const wrong = h('div', {'aria-live': 'polite'});
  const typed = input({required: word !== ''});
  const go = h('button', {type: 'submit', class: 'danger'}, button);
  const titleId = newId('title');
  const dialog = h(
    'dialog',
    {'aria-labelledby': titleId},
    h(
      'form',
      {
        method: 'dialog',
        onsubmit: async (event: SubmitEvent) => {
          event.preventDefault();
          if (word && typed.value !== word) {
            wrong.replaceChildren(h('p', {class: 'wrong'}, `Type ${word} to go on.`));
            return;
          }
          go.disabled = true;
          try {
            await act();
            dialog.close();
          } catch (error) {
            go.disabled = false;
            wrong.replaceChildren(problem(error));
          }
        },
      },
      h('h2', {id: titleId}, title),
      h('p', {}, text),
      word ? field(`Type ${word} to go on`, typed) : null,
      wrong,
      h(
        'div',
        {class: 'row'},
        go,
        h(
          'button',
          {
            type: 'button',
            onclick: () => dialog.close(),
          },
          'Cancel',
        ),
      ),
    ),
  );
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** A form whose answer or error shows below it. */
export function form(
  submit: string,
  fields: Child,
  act: (say: (...children: Child[]) => void) => Promise<void>,
): HTMLFormElement {
  const button = h('button', {type: 'submit', class: 'main'}, submit);
  const answer = h('div', {'aria-live': 'polite'});
  return h(
    'form',
    {
      onsubmit: async (event: SubmitEvent) => {
        event.preventDefault();
        button.disabled = true;
        answer.replaceChildren();
        try {
          await act((...children) => append(answer, ...children));
        } catch (error) {
          answer.append(problem(error));
        } finally {
          button.disabled = false;
        }
      },
    },
    fields,
    h('div', {class: 'row'}, button),
    answer,
  );
}

/** Copies a text, where the browser allows it. */
export function copyButton(text: () => string): HTMLElement | null {
  if (!navigator.clipboard) return null;
  const button = h(
    'button',
    {
      type: 'button',
      onclick: async () => {
        await navigator.clipboard.writeText(text());
        button.textContent = 'Copied';
      },
    },
    'Copy',
  );
  return button;
}
