import { en, type Key } from './en';
import { ko } from './ko';

export type Language = 'en' | 'ko';
const kLanguage = 'spillway.language';
const tables: Record<Language, Record<Key, string>> = { en, ko };

function first(): Language {
  const kept = localStorage.getItem(kLanguage);
  if (kept === 'en' || kept === 'ko') return kept;
  return navigator.language.toLowerCase().startsWith('ko') ? 'ko' : 'en';
}

let current = first();
document.documentElement.lang = current;

export const language = (): Language => current;

export function setLanguage(next: Language): void {
  current = next;
  localStorage.setItem(kLanguage, next);
  document.documentElement.lang = next;
}

/** The words for `key` with {name} replaced. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return tables[current][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

const locale = (): string => (current === 'ko' ? 'ko-KR' : 'en-GB');

export const number = (value: number, digits = 0): string =>
  new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);

/** Microseconds since 1970: Date keeps no more than milliseconds. */
export function micros(iso: string): number {
  const fraction = /\.(\d+)/.exec(iso)?.[1] ?? '';
  return Math.floor(Date.parse(iso) / 1000) * 1e6 + Number(fraction.padEnd(6, '0').slice(0, 6));
}

export const compact = (value: number): string =>
  new Intl.NumberFormat(locale(), { notation: 'compact' }).format(value);

/** A span of time in the unit that fits. */
export function span(seconds: number): string {
  const unit = (n: number, name: 'second' | 'minute' | 'hour' | 'day', digits = 0): string =>
    t(name, { n: number(n, digits) });
  if (seconds === 0) return unit(0, 'second');
  if (seconds < 0.001) return `${number(seconds * 1e6)} µs`;
  if (seconds < 1) return `${number(seconds * 1000, seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 60) return unit(seconds, 'second', seconds < 10 ? 1 : 0);
  const two = (large: string, rest: number, name: 'second' | 'minute'): string =>
    rest ? `${large} ${unit(rest, name)}` : large;
  if (seconds < 3600)
    return two(unit(Math.floor(seconds / 60), 'minute'), Math.floor(seconds % 60), 'second');
  if (seconds < 86400)
    return two(unit(Math.floor(seconds / 3600), 'hour'), Math.floor((seconds % 3600) / 60), 'minute');
  return unit(Math.floor(seconds / 86400), 'day');
}

const pad = (n: number, digits = 2): string => String(n).padStart(digits, '0');

/** In the time zone of who looks: today the time alone, with milliseconds, because a crowd comes within one second. */
export function localTime(iso: string, full = false): string {
  const at = new Date(iso);
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  const today = at.toDateString() === new Date().toDateString();
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  const thousandths = `.${pad(at.getMilliseconds(), 3)}`;
  return full ? `${day} ${time}${thousandths}` : today ? time + thousandths : `${day} ${time}`;
}
export const clock = (epoch: number): string =>
  new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium', hourCycle: 'h23' }).format(new Date(epoch * 1000));
