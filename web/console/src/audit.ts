import { api, query } from './api';
import { h, type Child, type View } from './dom';
import { t } from './i18n';
import { moment, none, pages, refreshButton, table } from './ui';

interface Entry {
  sequence: number;
  at: string;
  actor: string;
  address: string;
  action: string;
  target: string;
  before?: unknown;
  after?: unknown;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What is different, member by member; what stayed is left out. */
export function difference(before: unknown, after: unknown): Child {
  if (before === undefined && after === undefined) return '–';
  if ((before === undefined || isObject(before)) && (after === undefined || isObject(after))) {
    const from = before ?? {};
    const to = after ?? {};
    const lines = [...new Set([...Object.keys(from), ...Object.keys(to)])].filter(
      (key) => JSON.stringify(from[key]) !== JSON.stringify(to[key]),
    );
    if (!lines.length) return '–';
    return h(
      'ul',
      { class: 'difference' },
      lines.map((key) =>
        h(
          'li',
          null,
          h('code', null, key),
          ' ',
          from[key] !== undefined && h('del', null, text(from[key])),
          from[key] !== undefined && to[key] !== undefined && ' → ',
          to[key] !== undefined && h('ins', null, text(to[key])),
        ),
      ),
    );
  }
  return h(
    'span',
    { class: 'difference' },
    before !== undefined && h('del', null, text(before)),
    ' ',
    after !== undefined && h('ins', null, text(after)),
  );
}

export function audit(filters: URLSearchParams): View {
  const input = (name: string, label: string): HTMLInputElement =>
    h('input', {
      name,
      'aria-label': label,
      placeholder: label,
      autocomplete: 'off',
      value: filters.get(name) ?? '',
    });
  const all = [input('actor', t('actor')), input('action', t('action')), input('target', t('target'))];
  const form = h(
    'form',
    {
      class: 'filters',
      onsubmit: (e: Event) => {
        e.preventDefault();
        location.hash = `#/audit${query(Object.fromEntries(all.map((one) => [one.name, one.value.trim()])))}`;
      },
    },
    all,
    h('button', { type: 'submit', class: 'primary' }, t('filter')),
  );
  const list = pages<{ items: Entry[]; nextCursor?: string }, Entry>(
    (cursor) => api('GET', `/admin/audit${query({ ...Object.fromEntries(filters), limit: 50, cursor })}`),
    (items) =>
      table<Entry>(
        [
          { label: t('at'), cell: (e) => moment(e.at) },
          { label: t('actor'), cell: (e) => [e.actor, h('span', { class: 'sub' }, e.address)] },
          { label: t('action'), cell: (e) => h('code', null, e.action) },
          { label: t('target'), cell: (e) => e.target || none() },
          { label: t('difference'), cell: (e) => difference(e.before, e.after) },
        ],
        items,
        t('audit'),
      ),
    t('noAudit'),
  );
  return {
    element: h(
      'div',
      null,
      h(
        'div',
        { class: 'headline' },
        h('h1', null, t('audit')),
        refreshButton(() => void list.reload()),
      ),
      form,
      list.element,
    ),
  };
}
