import { api, ApiError, query } from './api';
import { h, fill, type View } from './dom';
import { t, number } from './i18n';
import {
  actionButton,
  dialog,
  field,
  formDialog,
  moment,
  none,
  notice,
  pages,
  refreshButton,
  say,
  select,
  table,
  words,
  type Me,
} from './ui';

interface DeadLetter {
  requestId: string;
  eventId: string;
  userId: string;
  deadAt: string;
  receiveCount: number;
  failureClass: string;
  resultCode: string;
  lastReason: string;
  redrives: number;
}

interface Redrive {
  redriveId: string;
  state: 'RUNNING' | 'DONE' | 'STOPPED' | 'STOPPED_BY_FAILURES';
  matching: number;
  redriven: number;
  succeeded: number;
  rejected: number;
  failedAgain: number;
}

const kPath = '/admin/queues/participations/dead-letters';
const kProgressMs = 1000;

export function deadLetters(me: Me, filters: URLSearchParams): View {
  const input = (name: string, label: string): HTMLInputElement =>
    h('input', {
      name,
      'aria-label': label,
      placeholder: label,
      autocomplete: 'off',
      value: filters.get(name) ?? '',
    });
  const eventId = input('eventId', t('eventId'));
  const reason = input('reason', t('reason'));
  const failureClass = select(
    [
      ['', `${t('failureClass')}: ${t('all')}`],
      ['RETRYABLE', 'RETRYABLE'],
      ['NON_RETRYABLE', 'NON_RETRYABLE'],
    ],
    filters.get('failureClass') ?? '',
  );
  failureClass.setAttribute('aria-label', t('failureClass'));
  const form = h(
    'form',
    {
      class: 'filters',
      onsubmit: (e: Event) => {
        e.preventDefault();
        location.hash = `#/dead-letters${query({ eventId: eventId.value.trim(), failureClass: failureClass.value, reason: reason.value.trim() })}`;
      },
    },
    eventId,
    failureClass,
    reason,
    h('button', { type: 'submit', class: 'primary' }, t('filter')),
  );

  const total = h('span', { class: 'soft' });
  const redriveAll = actionButton(me, t('redrive'), redrive, 'primary');
  const discardAll = actionButton(me, t('discardAll'), () => void discardMatching());
  const applied = Object.fromEntries([...filters].filter(([, value]) => value));
  const progress = h('div', { class: 'progress', role: 'status' });
  let timer = 0;
  let over = false;

  // A redrive has no stream: it is asked for while one runs, and only then.
  async function follow(wasRunning = false): Promise<void> {
    clearTimeout(timer);
    try {
      const run = await api<Redrive>('GET', `${kPath}/redrive`);
      if (over) return;
      const done = run.succeeded + run.rejected + run.failedAgain;
      const running = run.state === 'RUNNING';
      const stop = actionButton(me, t('stop'), () => {
        api('POST', `${kPath}/redrive/stop`).then(
          () => follow(true),
          (error) => say(words(error), 'bad'),
        );
      });
      fill(
        progress,
        h(
          'div',
          { class: `card run ${run.state.toLowerCase()}` },
          h('progress', { max: Math.max(1, run.matching), value: done, 'aria-label': t('redriveTitle') }),
          h(
            'span',
            null,
            t('redriveRunning', {
              state: t(run.state),
              done: number(done),
              total: number(run.matching),
              ok: number(run.succeeded),
              rejected: number(run.rejected),
              again: number(run.failedAgain),
            }),
          ),
          running && stop,
        ),
      );
      if (running) timer = window.setTimeout(() => void follow(true), kProgressMs);
      else if (wasRunning) void list.reload();
    } catch (error) {
      if (over || (error instanceof ApiError && error.status === 404)) return; // there was none yet
      fill(progress, notice(words(error), 'bad'));
      timer = window.setTimeout(() => void follow(wasRunning), kProgressMs * 5);
    }
  }

  function redrive(): void {
    const rate = field('ratePerSecond', t('rate'), h('input', { inputmode: 'numeric', value: '100' }));
    const stopAfter = field(
      'stopAfterFailures',
      t('stopAfter'),
      h('input', { inputmode: 'numeric', value: '10' }),
    );
    dialog(t('redriveTitle'), (close, top) => {
      const asked = (dryRun: boolean): unknown => ({
        filter: applied,
        ratePerSecond: Number(rate.input.value),
        stopAfterFailures: Number(stopAfter.input.value),
        dryRun,
      });
      const result = h('div', { role: 'status' });
      const go = h(
        'button',
        { type: 'button', class: 'primary', hidden: true, onclick: () => step(false) },
        t('start', { n: 0 }),
      );
      // What was checked is what is started: another figure means checking again.
      for (const one of [rate, stopAfter])
        one.input.addEventListener('input', () => {
          go.hidden = true;
        });
      async function step(dryRun: boolean): Promise<void> {
        fill(top);
        try {
          const answer = await api<{ matching: number; sample: string[] }>(
            'POST',
            `${kPath}/redrive`,
            asked(dryRun),
          );
          if (!dryRun) {
            close();
            return void follow(true);
          }
          fill(
            result,
            h('p', null, h('strong', null, t('matching', { n: number(answer.matching) }))),
            answer.sample.length > 0 &&
              h(
                'p',
                { class: 'soft' },
                `${t('sample')}: `,
                answer.sample.slice(0, 5).map((id) => h('code', { class: 'sub' }, id)),
              ),
          );
          go.textContent = t('start', { n: number(answer.matching) });
          go.hidden = answer.matching === 0;
        } catch (error) {
          const named = [rate, stopAfter].find(
            (one) => error instanceof ApiError && error.detail.includes(one.input.name),
          );
          if (named) named.fail((error as ApiError).detail);
          else fill(top, notice(words(error), 'bad'));
        }
      }
      return [
        filterLine(),
        rate.row,
        stopAfter.row,
        h('p', { class: 'hint' }, t('dryRunHint')),
        result,
        h(
          'div',
          { class: 'buttons' },
          h('button', { type: 'button', onclick: close }, t('cancel')),
          h('button', { type: 'button', onclick: () => step(true) }, t('dryRun')),
          go,
        ),
      ];
    });
  }

  const filterLine = (): HTMLElement | false =>
    Object.keys(applied).length > 0 &&
    h(
      'p',
      null,
      Object.entries(applied).map(([name, value]) => h('code', { class: 'sub' }, `${name}=${value}`)),
    );

  function discard(title: string, which: object, label: string): void {
    const why = field('reason', t('reason'), h('textarea', { rows: 3, maxlength: 500 }), t('discardText'));
    formDialog(
      title,
      [why],
      async () => {
        const answer = await api<{ discarded: number }>('POST', `${kPath}/discard`, {
          ...which,
          reason: why.input.value,
        });
        void list.reload();
        return t('discarded', { n: number(answer.discarded) });
      },
      label,
      'danger',
    );
  }

  /** How many it would hit is asked first: the list may have grown since it was read. */
  async function discardMatching(): Promise<void> {
    try {
      const { matching } = await api<{ matching: number }>('POST', `${kPath}/redrive`, {
        filter: applied,
        dryRun: true,
      });
      discard(
        t('discardAllTitle', { n: number(matching) }),
        { filter: applied },
        t('discardN', { n: number(matching) }),
      );
    } catch (error) {
      say(words(error), 'bad');
    }
  }

  const list = pages<{ items: DeadLetter[]; nextCursor?: string; total: number }, DeadLetter>(
    (cursor) => api('GET', `${kPath}${query({ ...Object.fromEntries(filters), limit: 50, cursor })}`),
    (items) =>
      table<DeadLetter>(
        [
          {
            label: t('request'),
            cell: (d) =>
              h('a', { href: `#/requests/${encodeURIComponent(d.requestId)}` }, h('code', null, d.requestId)),
          },
          { label: t('eventId'), cell: (d) => d.eventId },
          { label: t('user'), cell: (d) => d.userId },
          { label: t('died'), cell: (d) => moment(d.deadAt), wide: true },
          {
            label: t('reason'),
            cell: (d) => [d.lastReason || none(), h('span', { class: 'sub' }, d.failureClass)],
          },
          { label: t('receives'), cell: (d) => number(d.receiveCount), numeric: true, wide: true },
          { label: t('redrives'), cell: (d) => number(d.redrives), numeric: true },
          {
            label: t('actions'),
            cell: (d) =>
              actionButton(me, t('discard'), () =>
                discard(t('discardTitle'), { requestIds: [d.requestId] }, t('discardN', { n: 1 })),
              ),
          },
        ],
        items,
        t('deadLetters'),
      ),
    t('noDead'),
    (page) => {
      total.textContent = page.total ? t('total', { n: number(page.total) }) : '';
      if (me.role === 'admin') for (const one of [redriveAll, discardAll]) one.disabled = page.total === 0;
    },
  );
  void follow();
  return {
    element: h(
      'div',
      null,
      h(
        'div',
        { class: 'headline' },
        h('h1', null, t('deadLetters')),
        total,
        h(
          'div',
          { class: 'buttons' },
          refreshButton(() => void list.reload()),
          discardAll,
          redriveAll,
        ),
      ),
      form,
      progress,
      list.element,
    ),
    close: () => {
      over = true;
      clearTimeout(timer);
    },
  };
}
