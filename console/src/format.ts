// Numbers and times as people read them.

const DASH = '–';

export function count(n: number | undefined): string {
  return n === undefined ? DASH : Math.round(n).toLocaleString('en');
}

export function rate(perSecond: number | undefined): string {
  if (perSecond === undefined) return DASH;
  if (perSecond === 0) return '0';
  if (perSecond < 10) return perSecond.toFixed(1);
  return count(perSecond);
}

/** Of seconds. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined) return DASH;
  if (seconds === 0) return '0 ms';
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

export function bytes(n: number | undefined): string {
  if (n === undefined) return DASH;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (n < 1024 || unit === 'GiB')
      return `${n < 10 && unit !== 'B' ? n.toFixed(1) : Math.round(n)} ${unit}`;
    n /= 1024;
  }
  return DASH;
}

export function share(part: number, whole: number): string {
  if (whole <= 0) return DASH;
  const percent = (part / whole) * 100;
  return `${percent > 0 && percent < 1 ? '<1' : Math.round(percent)} %`;
}

const two = (n: number) => String(n).padStart(2, '0');

/** "2026-12-01 14:05:09", of an RFC 3339 time, in the browser's zone. */
export function time(text: string | undefined): string {
  if (!text) return DASH;
  const t = new Date(text);
  return (
    `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ` +
    `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`
  );
}

/** "14:05:09.123" */
export function clock(text: string): string {
  const t = new Date(text);
  return (
    `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}.` +
    String(t.getMilliseconds()).padStart(3, '0')
  );
}

export function day(text: string | undefined): string {
  return text ? time(text).slice(0, 10) : DASH;
}

/** "PRIORITY_NORMAL" as "normal". */
export function word(name: string | undefined, prefix = ''): string {
  return (name ?? '').replace(prefix, '').toLowerCase().replaceAll('_', ' ');
}

/** A device token, from it or from the URL of an endpoint, whose end it is. */
export function token(text: string): string {
  return text.trim().split('/').pop()!;
}

/** Base64 of the UTF-8 of a text, as protobuf's JSON wants bytes. */
export function base64(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}
