// One team: its apps, keys and aliases.

import {call} from '../api';
import {fill, h, type Child} from '../dom';
import * as format from '../format';
import {listTeams, type Team} from '../teams';
import {
  badge,
  confirm,
  copyButton,
  field,
  form,
  input,
  note,
  problem,
  select,
  table,
} from '../widgets';
import type {Context, Maker} from './screen';

interface App {
  appId: string;
  overflowPolicy: string;
  createTime: string;
}
interface Key {
  keyId: string;
  kind: string;
  createTime: string;
  revokeTime?: string;
}
interface Alias {
  name: string;
  token: string;
  createTime: string;
}
interface CreatedKey {
  key: Key;
  privateKeyPem?: string;
  accessToken?: string;
}

const KINDS: Record<string, string> = {
  SIGNING: 'signing key',
  SEND_ONLY: 'access token, may only send',
  FCM: 'service account of FCM',
};
const POLICIES: [string, string][] = [
  ['DROP_OLDEST', 'drop the oldest'],
  ['REFUSE_NEWEST', 'refuse the newest'],
  ['DROP_ALL', 'drop all; the app synchronises'],
];

/** A card with a list that can be loaded again. */
function section(
  title: string,
  load: (reload: () => Promise<void>) => Promise<Child>,
  below: Child,
) {
  const list = h('div', {});
  const reload = async () => {
    try {
      fill(list, await load(reload));
    } catch (error) {
      fill(list, problem(error, reload));
    }
  };
  void reload();
  return {
    element: h('section', {class: 'card', 'aria-label': title}, h('h2', {}, title), list, below),
    reload,
  };
}

function apps(context: Context, teamId: string): HTMLElement {
  const id = input({required: true, placeholder: 'com.example.mail'});
  const policy = select(POLICIES);
  const {element, reload} = section(
    'Apps',
    async again =>
      table(
        'Apps',
        [
          {name: 'App', head: true, cell: (app: App) => h('code', {}, app.appId)},
          {name: 'Full mailbox', cell: app => format.word(app.overflowPolicy)},
          {name: 'Made', cell: app => format.day(app.createTime)},
          ...(context.may('AdminService/DeleteApp')
            ? [
                {
                  name: '',
                  figure: true,
                  cell: (app: App) =>
                    h(
                      'button',
                      {
                        type: 'button',
                        class: 'danger',
                        'aria-label': `Delete ${app.appId}`,
                        onclick: () =>
                          confirm(
                            `Delete ${app.appId}?`,
                            'From then on each of its tokens answers UNREGISTERED. ' +
                              'What was accepted before is still delivered.',
                            'Delete the app',
                            async () => {
                              await call('AdminService/DeleteApp', {appId: app.appId});
                              await again();
                            },
                            app.appId,
                          ),
                      },
                      'Delete',
                    ),
                },
              ]
            : []),
        ],
        (await call<{apps?: App[]}>('AdminService/ListApps', {teamId})).apps ?? [],
        'No app yet.',
      ),
    context.may('AdminService/CreateApp')
      ? form(
          'Create app',
          h(
            'div',
            {class: 'fields'},
            field('App id', id, 'A reverse domain name, unique on this server.'),
            field('When 100 messages wait for one phone', policy),
          ),
          async () => {
            await call('AdminService/CreateApp', {
              teamId,
              appId: id.value.trim(),
              overflowPolicy: policy.value,
            });
            id.value = '';
            await reload();
          },
        )
      : null,
  );
  return element;
}

/** What is shown once. */
function secretNote(created: CreatedKey): HTMLElement {
  const secret = created.accessToken || created.privateKeyPem || '';
  return note(
    'warn',
    'Keep this now: it is not shown again',
    h(
      'p',
      {class: 'small'},
      created.accessToken ? 'Access token' : `Private key of ${created.key.keyId}`,
    ),
    h('pre', {class: 'secret', tabindex: 0}, secret),
    h(
      'div',
      {},
      copyButton(() => secret),
    ),
  );
}

function keys(context: Context, teamId: string): HTMLElement {
  const kind = select([
    ['signing', 'signing key (P-256), for JWTs'],
    ['send_only', 'access token that may only send'],
  ]);
  const {element, reload} = section(
    'Keys',
    async again =>
      table(
        'Keys',
        [
          {name: 'Key', head: true, cell: (key: Key) => h('code', {}, key.keyId)},
          {name: 'Kind', cell: key => KINDS[key.kind] ?? key.kind},
          {name: 'Made', cell: key => format.day(key.createTime)},
          {
            name: 'State',
            cell: key =>
              key.revokeTime
                ? badge(`revoked ${format.day(key.revokeTime)}`)
                : badge('good', 'good'),
          },
          ...(context.may('AdminService/RevokeKey')
            ? [
                {
                  name: '',
                  figure: true,
                  cell: (key: Key) =>
                    key.revokeTime
                      ? null
                      : h(
                          'button',
                          {
                            type: 'button',
                            class: 'danger',
                            'aria-label': `Revoke ${key.keyId}`,
                            onclick: () =>
                              confirm(
                                `Revoke ${key.keyId}?`,
                                "Within 5 s no gateway accepts it. It can't be taken back.",
                                'Revoke the key',
                                async () => {
                                  await call('AdminService/RevokeKey', {keyId: key.keyId});
                                  await again();
                                },
                              ),
                          },
                          'Revoke',
                        ),
                },
              ]
            : []),
        ],
        (await call<{keys?: Key[]}>('AdminService/ListKeys', {teamId})).keys ?? [],
        'No key yet.',
      ),
    context.may('AdminService/CreateKey')
      ? form('Create key', field('Kind', kind), async say => {
          const created = await call<CreatedKey>('AdminService/CreateKey', {
            teamId,
            sendOnly: kind.value === 'send_only',
          });
          say(secretNote(created));
          await reload();
        })
      : null,
  );
  return element;
}

function aliases(context: Context, teamId: string): HTMLElement {
  const name = input({required: true, pattern: '[a-z0-9_\\-]{1,64}'});
  const token = input({required: true});
  const {element, reload} = section(
    'Aliases',
    async again =>
      table(
        'Aliases',
        [
          {name: 'Name', head: true, cell: (alias: Alias) => h('code', {}, alias.name)},
          {name: 'Token', cell: alias => h('code', {}, `${alias.token.slice(0, 24)}…`)},
          {name: 'Made', cell: alias => format.day(alias.createTime)},
          ...(context.may('AdminService/DeleteAlias')
            ? [
                {
                  name: '',
                  figure: true,
                  cell: (alias: Alias) =>
                    h(
                      'button',
                      {
                        type: 'button',
                        class: 'danger',
                        'aria-label': `Delete ${alias.name}`,
                        onclick: () =>
                          confirm(
                            `Delete the alias ${alias.name}?`,
                            'Within 5 s no gateway knows the name.',
                            'Delete the alias',
                            async () => {
                              await call('AdminService/DeleteAlias', {teamId, name: alias.name});
                              await again();
                            },
                          ),
                      },
                      'Delete',
                    ),
                },
              ]
            : []),
        ],
        (await call<{aliases?: Alias[]}>('AdminService/ListAliases', {teamId})).aliases ?? [],
        'None. An alias is a name for a device token, such as a topic of ntfy.',
      ),
    context.may('AdminService/CreateAlias')
      ? form(
          'Create alias',
          h(
            'div',
            {class: 'fields'},
            field('Name', name, '1 to 64 of a-z, 0-9, _ and -.'),
            field('Device token', token),
          ),
          async () => {
            await call('AdminService/CreateAlias', {
              teamId,
              name: name.value.trim(),
              token: token.value.trim(),
            });
            name.value = '';
            token.value = '';
            await reload();
          },
        )
      : null,
  );
  return element;
}

function settings(context: Context, team: Team): HTMLElement {
  const storeOne = h('input', {
    type: 'checkbox',
    checked: team.apnsStoreOne,
    id: 'store-one',
    disabled: !context.may('AdminService/UpdateTeam'),
  });
  return h(
    'section',
    {class: 'card', 'aria-label': 'Settings'},
    h('h2', {}, 'Settings'),
    h(
      'dl',
      {class: 'pairs'},
      h('dt', {}, 'Id'),
      h('dd', {}, h('code', {}, team.teamId)),
      h('dt', {}, 'Made'),
      h('dd', {}, format.time(team.createTime)),
    ),
    form(
      'Save',
      h(
        'div',
        {class: 'check'},
        storeOne,
        h(
          'label',
          {for: 'store-one'},
          'As APNs does: of messages without a collapse id, only the newest waits for an app',
        ),
      ),
      async say => {
        await call('AdminService/UpdateTeam', {
          teamId: team.teamId,
          apnsStoreOne: storeOne.checked,
        });
        say(h('p', {}, 'Saved. Every gateway goes by it within 5 s.'));
      },
    ),
  );
}

export const teamScreen: Maker = (context, [teamId = '']) => {
  const title = h('h1', {}, 'Team');
  const body = h('div', {class: 'story'});
  context.choice.teamId = teamId;
  const show = async () => {
    try {
      const team = (await listTeams()).find(other => other.teamId === teamId);
      if (!team) {
        fill(body, note('warn', 'There is no such team', h('a', {href: '#/teams'}, 'All teams')));
        return;
      }
      title.textContent = team.name;
      document.title = `${team.name} · Bellwire`;
      const mayChange = context.may('AdminService/UpdateTeam');
      fill(
        body,
        apps(context, teamId),
        keys(context, teamId),
        aliases(context, teamId),
        mayChange ? settings(context, team) : null,
        context.may('AdminService/DeleteTeam')
          ? h(
              'div',
              {},
              h(
                'button',
                {
                  type: 'button',
                  class: 'danger',
                  onclick: () =>
                    confirm(
                      `Delete the team ${team.name}?`,
                      'Its apps and keys go with it, at once and for ever.',
                      'Delete the team',
                      async () => {
                        await call('AdminService/DeleteTeam', {teamId});
                        location.hash = '#/teams';
                      },
                      team.name,
                    ),
                },
                'Delete this team',
              ),
            )
          : null,
      );
    } catch (error) {
      fill(body, problem(error, show));
    }
  };
  void show();
  return {
    title: 'Team',
    element: h(
      'div',
      {class: 'story'},
      h('div', {}, h('a', {href: '#/teams', class: 'small'}, 'All teams'), title),
      body,
    ),
    close: () => {},
  };
};
