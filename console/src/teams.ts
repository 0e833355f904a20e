// Teams, apps, keys and aliases as the admin API has them.

import {call} from './api';
import {fill, h} from './dom';
import {select} from './widgets';
import type {Context} from './screens/screen';

export interface Team {
  teamId: string;
  name: string;
  createTime: string;
  apnsStoreOne: boolean;
}

export async function listTeams(): Promise<Team[]> {
  return (await call<{teams?: Team[]}>('AdminService/ListTeams')).teams ?? [];
}

/**
 * Which team something is about. `changed` is called with the team's id once the teams are known,
 * and at each choice; with '' if there is none. `subscriptions`: also those without a team.
 */
export function teamPicker(
  context: Context,
  changed: (teamId: string) => void,
  subscriptions = false,
): {control: HTMLSelectElement; ready: Promise<void>} {
  const control = select([['', 'Loading…']]);
  control.disabled = true;
  control.addEventListener('change', () => {
    context.choice.teamId = control.value;
    changed(control.value);
  });
  const ready = (async () => {
    const teams = await listTeams();
    const options: [string, string][] = teams.map(team => [
      team.teamId,
      `${team.name} (${team.teamId})`,
    ]);
    if (subscriptions && !context.who.team_id) options.push(['', 'none: a subscription (Web Push)']);
    if (options.length === 0) options.push(['', 'There is no team yet']);
    fill(
      control,
      options.map(([value, text]) => h('option', {value}, text)),
    );
    control.disabled = false;
    const known = options.some(([value]) => value === context.choice.teamId);
    control.value = known ? context.choice.teamId! : options[0]![0];
    context.choice.teamId = control.value;
    changed(control.value);
  })();
  return {control, ready};
}
