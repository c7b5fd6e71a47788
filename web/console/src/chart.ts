import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { clock, number, span } from './i18n';
import { h } from './dom';

export interface Series {
  label: string;
  color: string; // the name of a CSS variable
  fill?: boolean;
}

/** A line chart of the last 15 minutes. The table of figures beside it says the same in words. */
export class Chart {
  readonly element: HTMLElement;
  private plot: uPlot | null = null;
  private data: uPlot.AlignedData = [[]];
  private readonly area = h('div', { class: 'plot' });
  private readonly watch = new ResizeObserver(() => this.resize());

  constructor(
    private readonly title: string,
    private readonly series: Series[],
    private readonly unit: 'number' | 'seconds' = 'number',
  ) {
    const legend = series.map((one) => h('span', { class: 'key' }, h('i', { class: one.color }), one.label));
    this.element = h('figure', { class: 'card chart' }, h('figcaption', null, h('h2', null, title), h('span', { class: 'legend' }, legend)), this.area);
    this.area.setAttribute('role', 'img');
    this.area.setAttribute('aria-label', title);
    this.watch.observe(this.area);
  }

  set(data: uPlot.AlignedData): void {
    this.data = data;
    this.element.dataset.points = String(data[0].length);
    const last = this.series.map((one, i) => `${one.label} ${this.value(data[i + 1]?.at(-1) ?? null)}`).join(', ');
    this.area.setAttribute('aria-label', `${this.title}: ${last}`);
    if (this.plot) this.plot.setData(data);
    else this.resize();
  }

  close(): void {
    this.watch.disconnect();
    this.plot?.destroy();
  }

  private value(v: number | null): string {
    return v === null || v === undefined ? '–' : this.unit === 'seconds' ? span(v) : number(v);
  }

  private resize(): void {
    const width = this.area.clientWidth;
    if (!width || !this.data[0].length) return;
    if (this.plot) return this.plot.setSize({ width, height: 170 });
    const style = getComputedStyle(document.documentElement);
    const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    const axis = { stroke: color('soft'), grid: { stroke: color('line'), width: 1 }, ticks: { show: false }, font: '11px system-ui, sans-serif' };
    this.plot = new uPlot({
      width,
      height: 170,
      legend: { show: false },
      cursor: { y: false, points: { size: 6 } },
      scales: { y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.15 : 1] } },
      axes: [
        { ...axis, size: 26, values: (_u, ticks) => ticks.map((tick) => (tick % 60 && (ticks[1] ?? 0) - (ticks[0] ?? 0) < 60 ? clock(tick) : clock(tick).slice(0, -3))), space: 80 },
        { ...axis, size: 58, values: (_u, ticks) => ticks.map((tick) => (this.unit === 'seconds' ? (tick ? span(tick) : '0') : new Intl.NumberFormat(undefined, { notation: 'compact' }).format(tick))) },
      ],
      series: [{}, ...this.series.map((one) => ({ label: one.label, stroke: color(one.color), width: 1.75, spanGaps: false, points: { show: this.unit === 'seconds', size: 4 }, fill: one.fill ? `${color(one.color)}22` : undefined }))],
      hooks: { setCursor: [(u) => this.tell(u.cursor.idx ?? null)] },
    }, this.data, this.area);
  }

  private tell(index: number | null): void {
    const at = index === null ? undefined : this.data[0][index];
    this.area.title = index === null || at === undefined ? '' : [clock(at), ...this.series.map((one, i) => `${one.label}: ${this.value(this.data[i + 1]?.[index] ?? null)}`)].join('\n');
  }
}
