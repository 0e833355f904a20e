import {call} from '../api';
import {fill, h} from '../dom';
import * as format from '../format';
import {listTeams, type Team} from '../teams';
import {field, form, input, problem, table} from '../widgets';
import type {Maker} from './screen';

export const teamsScreen: Maker = context => {
  const list = h('section', {class: 'card', 'aria-label': 'All teams'});
  const show = async () => {
    try {
      const teams = await listTeams();
      fill(
        list,
        table(
          'Teams',
          [
            {
              name: 'Team',
              head: true,
              cell: (team: Team) => h('a', {href: `#/teams/${team.teamId}`}, team.name),
            },
            {name: 'Id', cell: team => h('code', {}, team.teamId)},
            {name: 'Made', cell: team => format.day(team.createTime)},
          ],
          teams,
          'There is no team yet. A team owns apps and the keys that send to them.',
        ),
      );
    } catch (error) {
      fill(list, problem(error, show));
    }
  };
  void show();
  const name = input({required: true, maxlength: 64});
  return {
    title: 'Teams',
    element: h(
      'div',
      {class: 'story'},
      h('h1', {}, 'Teams'),
      list,
      context.may('AdminService/CreateTeam')
        ? h(
            'section',
            {class: 'card', 'aria-label': 'New team'},
            h('h2', {}, 'New team'),
            form('Create team', field('Name', name, 'For people. 1 to 64 bytes.'), async () => {
              const team = await call<Team>('AdminService/CreateTeam', {name: name.value});
              location.hash = `#/teams/${team.teamId}`;
            }),
          )
        : null,
    ),
    close: () => {},
  };
};
