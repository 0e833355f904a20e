import type {Who} from '../api';

/** What screens share for as long as somebody is logged in. */
export interface Context {
  who: Who;
  /** Whether this administrator may call a method, such as "AdminService/CreateTeam". */
  may(method: string): boolean;
  /** What was looked at last: the next screen begins with it. */
  choice: {teamId: string | null; token: string; messageId: string};
}

export interface Screen {
  title: string;
  element: HTMLElement;
  /** Ends its streams and timers. */
  close(): void;
}

/** `rest` is what follows in the address. */
export type Maker = (context: Context, rest: string[]) => Screen;
