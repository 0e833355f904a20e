// What a server says of itself (ops/overview), and what of it is wrong.

import {h, type Child} from './dom';
import {note} from './widgets';

export interface Latency {
  p50: number;
  p99: number;
}

export interface Problem {
  alert: string;
  severity: string;
  summary: string;
  to_do: string;
}

export interface Overview {
  version: string;
  ready: boolean;
  started?: string;
  sessions?: number;
  bytes_in_flight?: number;
  store_ok?: boolean;
  rates?: {
    sends: number;
    refused: number;
    failed: number;
    to_phone: number;
    to_app: number;
    logins: number;
    cpus: number;
  };
  send?: Latency;
  commit?: Latency;
  to_phone?: Latency;
  to_app?: Latency;
  resident_bytes: number;
  open_descriptors: number;
  max_descriptors: number;
  queues: {name: string; length: number; bound: number}[];
  certificates: {name: string; ends?: string}[];
  problems: Problem[];
}

/** What is wrong, or that nothing is. */
export function stateNotes(problems: Problem[]): Child {
  if (problems.length === 0) return note('good', 'All is well', h('span', {}, 'Nothing to do.'));
  return problems.map(problem =>
    note(
      problem.severity === 'critical' ? 'bad' : 'warn',
      problem.summary,
      h('span', {}, problem.to_do),
      h('code', {class: 'small quiet'}, problem.alert),
    ),
  );
}
