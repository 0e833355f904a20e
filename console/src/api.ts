// What the page asks of the server (gateway/doors/console). Only this file talks to it.

/** Who is logged in, and what that may do: methods such as "AdminService/CreateTeam". */
export interface Who {
  name: string;
  role: string;
  /** The only team that it administers; empty: the whole server. */
  team_id: string;
  may: string[];
  version: string;
}

/** An error as the server tells it; status 0 if it does not answer. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly field = '',
  ) {
    super(message);
  }
  /** Nobody is logged in any more. */
  get isLoggedOut(): boolean {
    return this.status === 401;
  }
  /** The same may work later. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || (this.status >= 500 && this.status !== 501);
  }
}

interface ErrorDetail {
  reason?: string;
  fieldViolations?: {field?: string}[];
}

function toError(status: number, body: {error?: {message?: string; details?: ErrorDetail[]}}) {
  const details = body.error?.details ?? [];
  return new ApiError(
    status,
    details.find(detail => detail.reason)?.reason ?? '',
    body.error?.message ?? `The server answered ${status}.`,
    details.find(d => d.fieldViolations)?.fieldViolations?.[0]?.field ?? '',
  );
}

/** Called when an answer says that the login has ended. */
let onLoggedOut: () => void = () => {};
export function setOnLoggedOut(callback: () => void): void {
  onLoggedOut = callback;
}

async function post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: 'POST',
      headers: {'content-type': 'application/json', 'x-bellwire-console': '1'},
      body: JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: signal ?? null,
    });
  } catch {
    throw new ApiError(0, 'NO_SERVER', 'The server does not answer.');
  }
  if (response.ok) return response;
  throw toError(response.status, await response.json().catch(() => ({})));
}

async function ask<T>(path: string, body: unknown): Promise<T> {
  const response = await post(path, body);
  try {
    return (await response.json()) as T;
  } catch {
    throw new ApiError(0, 'NO_SERVER', 'The server stopped answering.');
  }
}

export const login = (name: string, token: string) => ask<Who>('/api/login', {name, token});
export const logout = () => ask<unknown>('/api/logout', {});
/** null: nobody is logged in. */
export async function who(): Promise<Who | null> {
  const answer = await ask<Partial<Who>>('/api/who', {});
  return answer.name ? (answer as Who) : null;
}

/** A method of the admin API, such as "AdminService/ListTeams". */
export async function call<T>(method: string, request: unknown = {}): Promise<T> {
  try {
    return await ask<T>(`/api/rpc/${method}`, request);
  } catch (error) {
    if (error instanceof ApiError && error.isLoggedOut) onLoggedOut();
    throw error;
  }
}

export interface LiveHandlers<T> {
  onEvent(data: T): void;
  /** Whether events come now: after a break the stream is opened again by itself. */
  onState(connected: boolean): void;
  /** It has said all, or an error ended it for good. */
  onEnd(error: ApiError | null): void;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;

/** Server-sent events. The answer closes the stream. */
export function live<T extends object>(
  what: string,
  request: () => unknown,
  handlers: LiveHandlers<T>,
): () => void {
  const abort = new AbortController();
  let timer = 0;
  let wait = FIRST_WAIT_MS;

  /** Whether the stream has ended for good. */
  const take = (text: string): boolean => {
    let name = '';
    const data: string[] = [];
    for (const line of text.split('\n')) {
      if (line.startsWith('event:')) name = line.slice(6).trim();
      if (line.startsWith('data:')) data.push(line.slice(5).trim());
    }
    if (data.length === 0) return false;
    const value = JSON.parse(data.join('\n'));
    if (name !== 'end') {
      handlers.onEvent(value as T);
      return false;
    }
    if (!value.error) {
      handlers.onEnd(null);
      return true;
    }
    throw toError(Number(value.error.code ?? 500), value);
  };

  const read = async () => {
    const response = await post(`/api/live/${what}`, request(), abort.signal);
    handlers.onState(true);
    wait = FIRST_WAIT_MS;
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const {done, value} = await reader.read();
      if (done) throw new ApiError(0, 'NO_SERVER', 'The stream broke off.');
      text += value;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const event = text.slice(0, end);
        text = text.slice(end + 2);
        if (take(event)) return;
      }
    }
  };

  const run = async () => {
    try {
      await read();
      abort.abort();
    } catch (caught) {
      if (abort.signal.aborted) return;
      const error =
        caught instanceof ApiError ? caught : new ApiError(0, 'NO_SERVER', 'The stream broke off.');
      handlers.onState(false);
      if (error.isLoggedOut) return onLoggedOut();
      if (!error.isTemporary) return handlers.onEnd(error);
      timer = window.setTimeout(run, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  };
  void run();
  return () => {
    abort.abort();
    window.clearTimeout(timer);
  };
}
