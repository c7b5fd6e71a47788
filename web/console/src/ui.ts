import { ApiError } from './api';
import { h, fill, type Child } from './dom';
import { t, localTime, span } from './i18n';
import { en, type Key } from './en';

/** Who looks: what the buttons may do. */
export interface Me {
  userId: string;
  role: 'user' | 'operator' | 'admin';
  identity: string;
}

export function words(error: unknown): string {
  if (!(error instanceof ApiError)) throw error;
  if (error.status === 0) return t('unreachable');
  if (error.status === 401) return t('expired');
  return t('failed', { detail: error.detail });
}

export const notice = (text: string, kind: 'info' | 'bad' | 'good' = 'info'): HTMLElement =>
  h('p', { class: `notice ${kind}`, role: kind === 'bad' ? 'alert' : 'status' }, text);

let spoken: HTMLElement | null = null;
/** A short word at the edge of the page, and for a screen reader. */
export function say(text: string, kind: 'good' | 'bad' = 'good'): void {
  spoken?.remove();
  const mine = notice(text, kind);
  mine.classList.add('toast');
  document.body.append(mine);
  spoken = mine;
  window.setTimeout(() => mine.remove(), 6000);
}

/** A button for admins: others see it, cannot press it, and are told why. */
export function actionButton(me: Me, label: string, act: () => void, kind = ''): HTMLButtonElement {
  const may = me.role === 'admin';
  return h(
    'button',
    { type: 'button', class: kind, disabled: !may, title: may ? null : t('onlyAdmin'), onclick: act },
    label,
  );
}

/** Nothing to show; a phone leaves the line out. */
export const none = (): HTMLElement => h('span', { class: 'none' }, '–');

export function moment(iso: string | undefined, full = false): Child {
  if (!iso) return none();
  return h('time', { datetime: iso, title: iso }, localTime(iso, full));
}

export const ago = (iso: string): string =>
  t('ago', { span: span(Math.max(0, (Date.now() - Date.parse(iso)) / 1000)) });

/** The word for what the server calls `code`; the code itself when it is a newer one. */
export const word = (code: string): string => (Object.hasOwn(en, code) ? t(code as Key) : code);

export function badge(status: string): HTMLElement {
  return h('span', { class: `badge ${status.toLowerCase()}` }, word(status));
}

export interface Field {
  row: HTMLElement;
  input: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
  fail: (text: string) => void;
}

let fields = 0;
export function field(
  name: string,
  label: string,
  input: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement,
  hint = '',
): Field {
  const id = `f${++fields}`;
  const error = h('span', { class: 'error', id: `${id}e` });
  input.id = id;
  input.name = name;
  input.setAttribute('aria-describedby', `${id}e${hint ? ` ${id}h` : ''}`);
  const row = h(
    'div',
    { class: 'field' },
    h('label', { for: id }, label),
    input,
    error,
    hint && h('span', { class: 'hint', id: `${id}h` }, hint),
  );
  return {
    row,
    input,
    fail: (text) => {
      error.textContent = text;
      if (text) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
    },
  };
}

const pad = (n: number): string => String(n).padStart(2, '0');
/** A moment as a field of the type datetime-local has it. */
export function forInput(iso: string | undefined): string {
  if (!iso) return '';
  const d = new Date(iso);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}T${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}

/** A second is all that the field holds: an unchanged time stays as it was, to the microsecond. */
export function fromInput(input: { value: string }, before: string | undefined): string | undefined {
  if (!input.value) return undefined;
  const typed = new Date(input.value); // the browser leaves out seconds that are zero, so no comparing of text
  const same = before && typed.getTime() === Math.floor(Date.parse(before) / 1000) * 1000;
  return same ? before : typed.toISOString();
}
/** What was typed as a number; what is none goes to the server, which says what is wrong with it. */
export const asNumber = (text: string): number | string =>
  Number.isFinite(Number(text)) ? Number(text) : text;

/** Shows the server's refusal at the field that its text names, else above the form. */
export function showProblem(all: Field[], top: HTMLElement, error: unknown): void {
  const detail = error instanceof ApiError ? error.detail : '';
  const named = all.find((one) => new RegExp(`(^|[^A-Za-z])${one.input.name}([^A-Za-z]|$)`).test(detail));
  if (named) {
    named.fail(detail);
    named.input.focus();
  } else {
    fill(top, notice(words(error), 'bad'));
  }
}

export function select(options: [string, string][], value = ''): HTMLSelectElement {
  const element = h(
    'select',
    null,
    options.map(([key, text]) => h('option', { value: key }, text)),
  );
  element.value = value;
  return element;
}

/** A modal dialog: the browser keeps the focus in it, Escape closes it, the focus goes back to where it was. */
export function dialog(
  title: string,
  build: (close: () => void, top: HTMLElement) => Child[],
): HTMLDialogElement {
  const before = document.activeElement as HTMLElement | null;
  const top = h('div');
  const box = h('dialog', { 'aria-labelledby': 'dialog-title' });
  const close = (): void => box.close();
  fill(box, h('h2', { id: 'dialog-title' }, title), top, build(close, top));
  box.addEventListener('close', () => {
    box.remove();
    if (before?.isConnected) before.focus();
  });
  document.body.append(box);
  box.showModal();
  return box;
}

/** Asks, then acts; what the server refuses is shown in the dialog, which stays open. */
export function confirm(
  title: string,
  text: string,
  label: string,
  act: () => Promise<void>,
  kind = 'danger',
): void {
  dialog(title, (close, top) => {
    const go = h(
      'button',
      {
        type: 'button',
        class: kind,
        onclick: async () => {
          go.disabled = true;
          try {
            await act();
            close();
          } catch (error) {
            fill(top, notice(words(error), 'bad'));
            go.disabled = false;
          }
        },
      },
      label,
    );
    return [
      h('p', null, text),
      h('div', { class: 'buttons' }, h('button', { type: 'button', onclick: close }, t('cancel')), go),
    ];
  });
}

/** A form in a dialog. `send` rejects with ApiError; it may give the words for having done it. */
export function formDialog(
  title: string,
  all: Field[],
  send: () => Promise<string | void>,
  label = t('save'),
  kind = 'primary',
): void {
  dialog(title, (close, top) => {
    const submit = h('button', { type: 'submit', class: kind }, label);
    const form = h(
      'form',
      {
        novalidate: true,
        onsubmit: async (event: Event) => {
          event.preventDefault();
          fill(top);
          all.forEach((one) => one.fail(''));
          submit.disabled = true;
          try {
            const done = await send();
            close();
            say(done ?? t('saved'));
          } catch (error) {
            showProblem(all, top, error);
          }
          submit.disabled = false;
        },
      },
      all.map((one) => one.row),
      h('div', { class: 'buttons' }, h('button', { type: 'button', onclick: close }, t('cancel')), submit),
    );
    return [form];
  });
}

export interface Column<T> {
  label: string;
  cell: (item: T) => Child;
  numeric?: boolean;
  wide?: boolean; // not on a phone
}

const classOf = (column: { numeric?: boolean; wide?: boolean }): string =>
  `${column.numeric ? 'num' : ''} ${column.wide ? 'wide' : ''}`.trim();

export const empty = (text: string): HTMLElement => h('p', { class: 'empty' }, text);

/** Reads the list again; there is no stream of it. */
export const refreshButton = (again: () => void): HTMLElement =>
  h('button', { type: 'button', class: 'refresh', onclick: again }, t('refresh'));

/** A table that becomes a list of cards on a phone. */
export function table<T>(columns: Column<T>[], items: T[], label: string): HTMLElement {
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      { 'aria-label': label },
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          columns.map((c) => h('th', { scope: 'col', class: classOf(c) }, c.label)),
        ),
      ),
      h(
        'tbody',
        null,
        items.map((item) =>
          h(
            'tr',
            null,
            columns.map((c) => h('td', { 'data-label': c.label, class: classOf(c) }, c.cell(item))),
          ),
        ),
      ),
    ),
  );
}

interface Page<T> {
  items: T[];
  nextCursor?: string;
}

/** Shows the pages of a list below one another. `load(cursor)` rejects with ApiError. */
export function pages<P extends Page<T>, T>(
  load: (cursor: string | undefined) => Promise<P>,
  show: (items: T[]) => HTMLElement,
  nothing: string,
  arrived?: (page: P) => void,
): { element: HTMLElement; reload: () => Promise<void> } {
  const list = h('div');
  const foot = h('div', { class: 'buttons' });
  const element = h('section', { 'aria-busy': 'true' }, list, foot);
  let items: T[] = [];
  let turn = 0;
  const step = async (cursor: string | undefined): Promise<void> => {
    const mine = ++turn;
    element.setAttribute('aria-busy', 'true');
    try {
      const page = await load(cursor);
      if (mine !== turn) return; // another filter was chosen meanwhile
      items = cursor ? items.concat(page.items) : page.items;
      arrived?.(page);
      fill(list, items.length ? show(items) : empty(nothing));
      fill(
        foot,
        page.nextCursor && h('button', { type: 'button', onclick: () => step(page.nextCursor) }, t('more')),
      );
    } catch (error) {
      if (mine !== turn) return;
      fill(
        list,
        notice(
          error instanceof ApiError && error.notOffered && !error.detail ? t('notOffered') : words(error),
          'bad',
        ),
      );
      fill(foot);
    }
    element.setAttribute('aria-busy', 'false');
  };
  void step(undefined);
  return { element, reload: () => step(undefined) };
}
