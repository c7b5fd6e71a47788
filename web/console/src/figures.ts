import type { Live } from './api';
import { h, fill } from './dom';
import { t, number, span } from './i18n';

/** One number of a strip of them. */
export class Figure {
  readonly element: HTMLElement;
  private readonly value = h('strong', null, '–');
  private readonly note = h('small');
  constructor(name: string, label: string) {
    this.element = h(
      'div',
      { class: 'figure', 'data-figure': name },
      h('span', null, label),
      this.value,
      this.note,
    );
  }
  set(text: string, note = '', kind = ''): void {
    if (this.value.textContent !== text) this.value.textContent = text;
    this.note.textContent = note;
    this.element.className = `figure ${kind}`;
  }
}

export const shown = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : number(value);

/** Says whether what the page shows is of now; marks the view around it as stale while it is not. */
export function liveBanner(): {
  element: HTMLElement;
  draw: (live: Live<{ at: string }>) => void;
  close: () => void;
} {
  const element = h('div', { class: 'live', role: 'status' });
  let seen: Live<{ at: string }> | null = null;
  const draw = (live: Live<{ at: string }>): void => {
    seen = live;
    element.dataset.state = live.state;
    element.closest('.overview')?.classList.toggle('stale', live.state === 'lost');
    if (live.state === 'lost') {
      const gone = (Date.now() - live.lastAt) / 1000;
      const text = live.lastAt ? t('lost', { ago: span(Math.max(1, Math.floor(gone))) }) : t('lostNow');
      if (element.querySelector('button')) element.firstChild!.textContent = text;
      else fill(element, text, ' ', h('button', { type: 'button', onclick: () => live.again() }, t('again')));
    } else {
      const text =
        live.state === 'live'
          ? `${t('live')} · ${t('last15')}`
          : live.state === 'absent'
            ? t('liveAbsent')
            : t('connecting');
      if (element.textContent !== text) fill(element, text);
    }
  };
  const clock = window.setInterval(() => seen && draw(seen), 1000); // so that "lost 12 s ago" counts on
  return { element, draw, close: () => clearInterval(clock) };
}
