import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { clock, compact, number, span } from './i18n';
import { h } from './dom';

export interface Series {
  label: string;
  color: string; // the name of a CSS variable
  fill?: boolean;
}

const kHeight = 220;
const kWindowSeconds = 15 * 60;
const kLeastSeconds = 60; // of a server that has just begun

/** A line chart of the last 15 minutes. Its legend gives the figures of the newest second, or of the one pointed at; the
    charts of a page point at the same second. */
export class Chart {
  readonly element: HTMLElement;
  private plot: uPlot | null = null;
  private data: uPlot.AlignedData = [[]];
  private pointed: number | null = null;
  private readonly area = h('div', { class: 'plot' });
  private readonly time = h('time', { class: 'pointed' });
  private readonly values: HTMLElement[];
  private readonly watch = new ResizeObserver(() => this.resize());

  constructor(
    private readonly title: string,
    private readonly series: Series[],
    private readonly unit: 'number' | 'seconds' = 'number',
  ) {
    this.values = series.map(() => h('b', null, '–'));
    const legend = series.map((one, i) =>
      h('span', { class: 'key' }, h('i', { class: one.color }), one.label, ' ', this.values[i]),
    );
    this.element = h(
      'figure',
      { class: 'card chart' },
      h('figcaption', null, h('h2', null, title), this.time),
      h('div', { class: 'legend' }, legend),
      this.area,
    );
    this.area.setAttribute('role', 'img');
    this.area.setAttribute('aria-label', title);
    this.watch.observe(this.area);
  }

  set(data: uPlot.AlignedData): void {
    this.data = data;
    this.element.dataset.points = String(data[0].length);
    const last = this.series.map((one, i) => `${one.label} ${this.value(data[i + 1]?.at(-1))}`).join(', ');
    this.area.setAttribute('aria-label', `${this.title}: ${last}`);
    if (this.plot) this.plot.setData(data);
    else this.resize();
    this.tell();
  }

  close(): void {
    this.watch.disconnect();
    this.plot?.destroy();
  }

  private value(v: number | null | undefined): string {
    return v === null || v === undefined ? '–' : this.unit === 'seconds' ? span(v) : number(v);
  }

  private resize(): void {
    const width = this.area.clientWidth;
    if (!width || !this.data[0].length) return;
    if (this.plot) return this.plot.setSize({ width, height: kHeight });
    const style = getComputedStyle(document.documentElement);
    const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    const axis = {
      stroke: color('soft'),
      grid: { stroke: color('grid'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui, sans-serif',
    };
    this.plot = new uPlot(
      {
        width,
        height: kHeight,
        padding: [8, 24, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false }, sync: { key: 'live' } },
        scales: {
          x: {
            range: (_u, min, max) => [
              Math.max(max - kWindowSeconds, Math.min(min, max - kLeastSeconds)),
              max,
            ],
          },
          y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.1 : 1] },
        },
        axes: [
          {
            ...axis,
            size: 24,
            values: (_u, ticks) => ticks.map((tick) => (tick % 60 ? clock(tick) : clock(tick).slice(0, -3))),
            space: 70,
          },
          {
            ...axis,
            size: this.unit === 'seconds' ? 54 : 42,
            space: 34,
            incrs:
              this.unit === 'seconds'
                ? undefined
                : [
                    1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1e3, 2e3, 2500, 5e3, 1e4, 2e4, 25e3, 5e4,
                    1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7,
                  ],
            values: (_u, ticks) =>
              ticks.map((tick) => (this.unit === 'seconds' ? (tick ? span(tick) : '0') : compact(tick))),
          },
        ],
        series: [
          {},
          ...this.series.map((one) => ({
            label: one.label,
            stroke: color(one.color),
            width: 1.75,
            spanGaps: false,
            points: { size: 4 },
            fill: one.fill ? `${color(one.color)}22` : undefined,
          })),
        ],
        hooks: {
          setCursor: [
            (u) => {
              this.pointed = u.cursor.idx ?? null;
              this.tell();
            },
          ],
        },
      },
      this.data,
      this.area,
    );
  }

  private tell(): void {
    const index = this.pointed ?? this.data[0].length - 1;
    const at = this.data[0][index];
    this.time.textContent = this.pointed === null || at === undefined ? '' : clock(at);
    this.values.forEach((one, i) => {
      const text = this.value(this.data[i + 1]?.[index]);
      if (one.textContent !== text) one.textContent = text;
    });
  }
}
