// The end of a run: k6's text on the terminal, and with REPORT_DIR the same as JSON and as a filled-in Markdown report.

// A threshold missed on one of these is FAIL alone, as with the generator: failures, checks, latencies, and what counts
// broken promises, which are the generator's invariants.
const CORE = ['http_req_failed', 'http_req_duration', 'http_req_response_time', 'iteration_duration', 'checks',
  'queue_position_up', 'queue_token_changed', 'queue_active_over_cap'];

/** For handleSummary. `run`: {plan, title, command, environment, main: the metric whose times count, counted: what of
 *  the work is counted}. */
export function summary(data, run) {
  const out = { stdout: text(data) };
  const dir = (__ENV.REPORT_DIR || '').replace(/\/+$/, '');
  if (dir) {
    const utc = new Date().toISOString().replace(/[-:]/g, '').replace(/\.\d+Z$/, 'Z');
    const base = `${dir}/${run.plan}_summary_${utc}`;
    out[`${base}.json`] = JSON.stringify(data, null, 2);
    out[`${base}.md`] = markdown(data, run);
  }
  return out;
}

/** Every threshold as {metric, expression, ok}. */
export function thresholds(data) {
  const found = [];
  for (const metric of Object.keys(data.metrics).sort()) {
    for (const [expression, { ok }] of Object.entries(data.metrics[metric].thresholds || {})) {
      found.push({ metric, expression, ok });
    }
  }
  return found;
}

function checks(group) {
  return [...(group.checks || []), ...(group.groups || []).flatMap(checks)];
}

function ms(value) {
  if (value >= 60000) return `${Math.floor(value / 60000)}m${((value % 60000) / 1000).toFixed(0)}s`;
  if (value >= 1000) return `${(value / 1000).toFixed(2)}s`;
  if (value >= 1) return `${value.toFixed(2)}ms`;
  return `${(value * 1000).toFixed(0)}µs`;
}

function bytes(value) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let at = 0;
  for (; value >= 1000 && at < units.length - 1; at += 1) value /= 1000;
  return `${value.toFixed(at ? 1 : 0)} ${units[at]}`;
}

function show(metric, value) {
  if (metric.contains === 'time') return ms(value);
  if (metric.contains === 'data') return bytes(value);
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

/** One line of figures, as k6 prints them; `stats`: which of a trend, in which order. */
function figures(metric, stats) {
  const v = metric.values;
  switch (metric.type) {
    case 'rate':
      return `${(v.rate * 100).toFixed(2)}%  ${v.passes} of ${v.passes + v.fails}`;
    case 'counter':
      return `${show(metric, v.count)}  ${metric.contains === 'data' ? bytes(v.rate) : v.rate.toFixed(2)}/s`;
    case 'gauge':
      return `${show(metric, v.value)}  min=${show(metric, v.min)} max=${show(metric, v.max)}`;
    default:
      return stats.filter((name) => name in v).map((name) => `${name}=${show(metric, v[name])}`).join(' ');
  }
}

export function text(data) {
  const lines = ['', '  THRESHOLDS', ''];
  for (const { metric, expression, ok } of thresholds(data)) {
    lines.push(`    ${ok ? '✓' : '✗'} ${metric}: ${expression}`);
  }
  lines.push('', '  CHECKS', '');
  for (const { name, passes, fails } of checks(data.root_group)) {
    lines.push(`    ${fails ? '✗' : '✓'} ${name}: ${passes} passed, ${fails} failed`);
  }
  lines.push('', '  METRICS', '');
  const names = Object.keys(data.metrics).sort();
  const width = Math.max(...names.map((name) => name.length)) + 3;
  for (const name of names) {
    const dots = '.'.repeat(width - name.length);
    lines.push(`    ${name}${dots}: ${figures(data.metrics[name], data.options.summaryTrendStats)}`);
  }
  return `${lines.join('\n')}\n\n`;
}

function markdown(data, run) {
  const all = thresholds(data);
  const missed = all.filter(({ ok }) => !ok);
  const wrong = checks(data.root_group).filter(({ fails }) => fails > 0);
  // The generator's rule (load lab): one of CORE missed is FAIL, exactly one other threshold is WARN.
  const core = missed.some(({ metric }) => CORE.includes(metric.split('{')[0]));
  const verdict = missed.length === 0 ? 'PASS' : core || missed.length > 1 ? 'FAIL' : 'WARN';
  const duration = data.metrics[run.main] || data.metrics.http_req_duration;
  const rate = (name) => (data.metrics[name] ? figures(data.metrics[name]) : 'none');
  const latency = duration ? figures(duration, data.options.summaryTrendStats) : 'none';
  const lines = [
    `# ${run.title}: ${verdict}`, '',
    '## Command', '', '```', run.command, '```', '',
    '## Environment', '', '| name | value |', '|---|---|',
    ...Object.entries(run.environment).map(([name, value]) => `| ${name} | ${value} |`),
    `| length of the run | ${ms(data.state.testRunDurationMs)} |`, '',
    '## Key figures', '', '| figure | value |', '|---|---|',
    `| accepted | ${rate(run.counted)} |`,
    `| HTTP requests | ${rate('http_reqs')} |`,
    `| failed requests | ${rate('http_req_failed')} |`,
    `| checks passed | ${rate('checks')} |`,
    `| latency | ${latency} |`, '',
    '## Grounds', '', '| threshold | held |', '|---|---|',
    ...all.map(({ metric, expression, ok }) => `| \`${metric}: ${expression}\` | ${ok ? 'yes' : '**no**'} |`), '',
    '| check | passed | failed |', '|---|---|---|',
    ...checks(data.root_group).map(({ name, passes, fails }) => `| ${name} | ${passes} | ${fails} |`), '',
    '## Action items', '',
    ...(missed.length + wrong.length === 0 ? ['None.'] : [
      ...missed.map(({ metric, expression }) => `- Find out why \`${metric}\` missed \`${expression}\`.`),
      ...wrong.map(({ name, fails }) => `- Look at the ${fails} answers that failed "${name}".`)]), '',
  ];
  return lines.join('\n');
}
