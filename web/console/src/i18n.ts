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

export const number = (value: number, digits = 0): string => new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);

/** Microseconds since 1970: Date keeps no more than milliseconds. */
export function micros(iso: string): number {
  const fraction = /\.(\d+)/.exec(iso)?.[1] ?? '';
  return Math.floor(Date.parse(iso) / 1000) * 1e6 + Number(fraction.padEnd(6, '0').slice(0, 6));
}

/** A span of time in the unit that fits. */
export function span(seconds: number): string {
  if (seconds === 0) return '0 s';
  if (seconds < 0.001) return `${number(seconds * 1e6)} µs`;
  if (seconds < 1) return `${number(seconds * 1000, seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 60) return `${number(seconds, seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${number(Math.floor(seconds / 60))} min ${number(Math.floor(seconds % 60))} s`;
  if (seconds < 86400) return `${number(Math.floor(seconds / 3600))} h ${number(Math.floor((seconds % 3600) / 60))} min`;
  return `${number(Math.floor(seconds / 86400))} d`;
}

export const localTime = (iso: string): string =>
  new Intl.DateTimeFormat(locale(), { dateStyle: 'short', timeStyle: 'medium' }).format(new Date(iso));
export const clock = (epoch: number): string => new Intl.DateTimeFormat(locale(), { timeStyle: 'medium', hour12: false }).format(new Date(epoch * 1000));
