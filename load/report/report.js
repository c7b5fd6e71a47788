// What script adds to the charts: the figures of the second under the pointer or the arrow keys, and all of them as a table.
'use strict';
(() => {
  const kSvg = 'http://www.w3.org/2000/svg';
  const kPage = 30; // points, of Page Up and Page Down

  function number(value) {
    const size = Math.abs(value);
    if (size >= 999.5) return Math.round(value).toLocaleString('en-US');
    const digits = size < 0.9995 ? 3 : size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
    return String(Number(value.toFixed(digits)));
  }
  function shown(value, unit) {
    if (value === null) return '-';
    if (unit === 'ms') return Math.abs(value) < 999.5 ? `${number(value)} ms` : `${number(value / 1000)} s`;
    return unit ? `${number(value)} ${unit}` : number(value);
  }
  function clock(seconds) {
    const whole = Math.round(seconds);
    const two = (n) => String(n).padStart(2, '0');
    const tail = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
    return whole < 3600 ? tail : `${Math.floor(whole / 3600)}:${tail}`;
  }
  const numbers = (text) => (text ? text.split(',').map((one) => (one === '' ? null : Number(one))) : []);
  function element(tag, text, attributes = {}) {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  for (const figure of document.querySelectorAll('figure[data-t]')) {
    const plot = figure.querySelector('.plot');
    const svg = plot.querySelector('svg');
    const times = numbers(figure.dataset.t);
    const length = Number(figure.dataset.length);
    const { unit } = figure.dataset;
    const title = figure.querySelector('h3').textContent;
    const lines = [...svg.querySelectorAll('path[data-v]')].map((path, i) => ({
      name: path.dataset.name,
      values: numbers(path.dataset.v),
      swatch: figure.querySelectorAll('.swatch')[i],
    }));
    let at = -1;

    // A title in SVG is also a hint of the browser's, which would lie over ours.
    const [name, description] = [svg.querySelector('title'), svg.querySelector('desc')];
    svg.setAttribute('aria-label', `${name.textContent}. ${description.textContent}`);
    svg.removeAttribute('aria-labelledby');
    name.remove();

    const cross = document.createElementNS(kSvg, 'line');
    const ground = svg.querySelector('svg.lines');
    cross.setAttribute('class', 'cross');
    cross.setAttribute('y1', ground.getAttribute('y'));
    cross.setAttribute('y2', Number(ground.getAttribute('y')) + Number(ground.getAttribute('height')));
    const tip = element('div', '', { class: 'tip', 'aria-live': 'polite' });
    tip.hidden = true;
    plot.append(tip);
    plot.tabIndex = 0;
    plot.setAttribute('role', 'group');
    plot.setAttribute('aria-label', `${title}: the arrow keys go through the figures`);

    function hide() {
      at = -1;
      tip.hidden = true;
      cross.remove();
    }
    function show(index) {
      at = Math.max(0, Math.min(times.length - 1, index));
      const x = `${(100 * times[at]) / length}%`;
      cross.setAttribute('x1', x);
      cross.setAttribute('x2', x);
      svg.append(cross);
      tip.replaceChildren(element('strong', clock(times[at])));
      for (const line of lines) {
        const row = element('p');
        const label = element('span');
        label.append(line.swatch.cloneNode(true), line.name);
        row.append(label, element('b', shown(line.values[at], unit)));
        tip.append(row);
      }
      tip.hidden = false;
      const [room, left] = [svg.getBoundingClientRect(), plot.getBoundingClientRect().left];
      const middle = room.left - left + (room.width * times[at]) / length;
      const before = middle - tip.offsetWidth - 12;
      const behind = middle + 12 + tip.offsetWidth <= plot.clientWidth;
      tip.style.left = `${behind ? middle + 12 : Math.max(0, before)}px`;
    }
    function nearest(seconds) {
      let [low, high] = [0, times.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (times[middle] < seconds) low = middle + 1;
        else high = middle;
      }
      return low > 0 && seconds - times[low - 1] < times[low] - seconds ? low - 1 : low;
    }
    plot.addEventListener('pointermove', (event) => {
      const room = svg.getBoundingClientRect();
      show(nearest((length * (event.clientX - room.left)) / room.width));
    });
    plot.addEventListener('pointerleave', hide);
    plot.addEventListener('blur', hide);
    plot.addEventListener('keydown', (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -kPage, PageDown: kPage, Home: -times.length, End: times.length };
      if (event.key === 'Escape') hide();
      if (!(event.key in steps)) return;
      event.preventDefault();
      show(at < 0 ? (steps[event.key] < 0 ? times.length : 0) : at + steps[event.key]);
    });

    let table = null;
    function make() {
      table = element('div', '', { class: 'frame', role: 'region', tabindex: '0', 'aria-label': `${title}: figures` });
      const whole = element('table');
      whole.append(element('caption', `${title}: figures`));
      const head = element('tr');
      head.append(element('th', 'Time', { scope: 'col' }));
      for (const line of lines) head.append(element('th', line.name, { scope: 'col', class: 'number' }));
      const top = element('thead');
      top.append(head);
      const body = element('tbody');
      times.forEach((time, i) => {
        const row = element('tr');
        row.append(element('th', clock(time), { scope: 'row' }));
        for (const line of lines) row.append(element('td', shown(line.values[i], unit), { class: 'number' }));
        body.append(row);
      });
      whole.append(top, body);
      table.append(whole);
      table.hidden = true;
      figure.append(table);
    }
    const button = element('button', 'Show figures', { class: 'show', type: 'button', 'aria-expanded': 'false' });
    button.setAttribute('aria-label', `Show figures: ${title}`);
    button.addEventListener('click', () => {
      if (!table) make();
      table.hidden = !table.hidden;
      // The chart beside an open one is not drawn out to its height.
      figure.classList.toggle('open', !table.hidden);
      figure.parentElement.classList.toggle('loose', figure.parentElement.querySelector('.open') !== null);
      const word = table.hidden ? 'Show' : 'Hide';
      button.textContent = `${word} figures`;
      button.setAttribute('aria-label', `${word} figures: ${title}`);
      button.setAttribute('aria-expanded', String(!table.hidden));
    });
    figure.append(button);
  }
})();
