import {call} from '../api';
import {fill, h} from '../dom';
import * as format from '../format';
import {badge, confirm, field, form, input, pairs, problem, table} from '../widgets';
import type {Maker} from './screen';

interface Device {
  deviceId: string;
  createTime?: string;
  revokeTime?: string;
  connected: boolean;
  connector: string;
  registrations: number;
  subscriptions: number;
  mailboxMessages: number;
}
interface Registration {
  appId: string;
  teamId: string;
  createTime?: string;
  removeTime?: string;
  waitingMessages: number;
  topics: number;
}

const PAGE = 50;

const stateOf = (device: Device) =>
  device.revokeTime
    ? badge('revoked', 'bad')
    : device.connected
      ? badge('connected', 'good')
      : badge('not connected');

export const devicesScreen: Maker = context => {
  const list = h('div', {});
  const found = h('div', {});
  const name = input({required: true});
  // Where each page before this one began.
  let pages: string[] = [''];

  const showPage = async () => {
    try {
      const answer = await call<{
        devices?: Device[];
        more: boolean;
        total: string;
        maxDevices: string;
      }>('DeviceService/ListDevices', {after: pages.at(-1), max: PAGE});
      const devices = answer.devices ?? [];
      const move = (change: () => void) => () => {
        change();
        void showPage();
      };
      fill(
        list,
        h(
          'p',
          {class: 'quiet'},
          `${format.count(Number(answer.total))} ${answer.total === '1' ? 'phone' : 'phones'}` +
            (Number(answer.maxDevices)
              ? ` of at most ${format.count(Number(answer.maxDevices))}`
              : ''),
        ),
        table(
          'Devices',
          [
            {
              name: 'Device',
              head: true,
              cell: (device: Device) =>
                h(
                  'button',
                  {
                    type: 'button',
                    onclick: () => void show({deviceId: device.deviceId}),
                  },
                  h('code', {}, device.deviceId),
                ),
            },
            {name: 'State', cell: stateOf},
            {name: 'Apps', figure: true, cell: device => format.count(device.registrations)},
            {name: 'Waiting', figure: true, cell: device => format.count(device.mailboxMessages)},
          ],
          devices,
          'No phone has logged in yet.',
        ),
        h(
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
              disabled: !answer.more,
              onclick: move(() => pages.push(devices.at(-1)!.deviceId)),
            },
            'More',
          ),
        ),
      );
    } catch (error) {
      fill(list, problem(error, showPage));
    }
  };

  const look = async (request: {deviceId?: string; token?: string}) => {
    const answer = await call<{device: Device; registrations?: Registration[]}>(
      'DeviceService/GetDevice',
      request,
    );
    const device = answer.device;
    fill(
      found,
      h(
        'section',
        {class: 'card', 'aria-label': 'Device'},
        h('div', {class: 'head'}, h('h2', {}, h('code', {}, device.deviceId)), stateOf(device)),
        pairs([
          ['First login', device.createTime ? format.time(device.createTime) : ''],
          ['Revoked', device.revokeTime ? format.time(device.revokeTime) : ''],
          ['Session at', device.connector],
          ['Waiting messages', format.count(device.mailboxMessages)],
        ]),
        table(
          'Apps on it',
          [
            {name: 'App', head: true, cell: (r: Registration) => r.appId || 'a subscription'},
            {name: 'Team', cell: r => h('code', {}, r.teamId)},
            {name: 'Since', cell: r => format.day(r.createTime)},
            {
              name: 'Token',
              cell: r =>
                r.removeTime ? badge(`died ${format.day(r.removeTime)}`) : badge('good', 'good'),
            },
            {name: 'Waiting', figure: true, cell: r => format.count(r.waitingMessages)},
          ],
          answer.registrations ?? [],
          'No app is registered on it.',
        ),
        context.may('DeviceService/RevokeDevice') && !device.revokeTime
          ? h(
              'div',
              {},
              h(
                'button',
                {
                  type: 'button',
                  class: 'danger',
                  onclick: async () => {
                    const would = await call<{registrations: number; messages: number}>(
                      'DeviceService/RevokeDevice',
                      {deviceId: device.deviceId, dryRun: true},
                    );
                    confirm(
                      'Turn this phone away for good?',
                      `Its session ends, ${would.registrations} tokens die, and ` +
                        `${would.messages} waiting messages end.`,
                      'Revoke the device',
                      async () => {
                        await call('DeviceService/RevokeDevice', {deviceId: device.deviceId});
                        await look({deviceId: device.deviceId});
                      },
                    );
                  },
                },
                'Revoke this device',
              ),
            )
          : null,
      ),
    );
  };
  const show = async (request: {deviceId?: string; token?: string}) => {
    try {
      await look(request);
      found.scrollIntoView({block: 'nearest'});
    } catch (error) {
      fill(found, problem(error));
    }
  };
  void showPage();
  return {
    title: 'Devices',
    element: h(
      'div',
      {class: 'story'},
      h('h1', {}, 'Devices'),
      h(
        'section',
        {class: 'card', 'aria-label': 'Find a device'},
        form('Find', field('Device id, or any token of it', name), async () => {
          const text = name.value.trim();
          await look(/^[0-9a-f]{32}$/.test(text) ? {deviceId: text} : {token: text});
        }),
      ),
      found,
      h('section', {class: 'card', 'aria-label': 'All devices'}, list),
    ),
    close: () => {},
  };
};
