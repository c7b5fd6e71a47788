// Everybody comes at once: 310,000 people enter one line, 1,000 a second at first, then 5,000 a second.
//
//   GOGC=400 k6 run -e BASE_URL=http://127.0.0.1:8080 -e ADMIN_TOKEN=$SPILLWAY_ADMIN_TOKEN k6/queue-entry-scale-test.js
//
// GOGC=400: fewer collections of garbage leave k6 more of its CPU.
//
// BASE_URL             where Spillway listens, with --identity open     http://127.0.0.1:8080
// ADMIN_TOKEN          its admin secret: the line is configured first
// CONCERT              the name of the line                             a new one
// MAX_ACTIVE           how many may be in at once                       310000
// WARM_RATE, WARM_DURATION    a second, for how long                    1000, 10s
// RATE, DURATION              and then                                  5000, 60s
// RE_ENTER             the share of people who enter a second time and must get the same place   0.01
// VUS, MAX_VUS         virtual users made before the start, and at most 1000, 4000
// MAX_DROPPED          iterations that k6 may drop for want of virtual users: it is k6's want, unless they all wait for
//                      the server                                       0
// REPORT_DIR           optional: an existing folder for the summary as JSON and Markdown
//
// Exit code 0, or 99 when a threshold failed.

import http from 'k6/http';
import { check } from 'k6';

import { randomUser } from './lib/login.js';
import { summary } from './lib/summary.js';
import {
  BASE_URL, CONCERT, Memory, configure, dataOf, enterRequest, entered, invariants, trendStats,
} from './lib/waitroom.js';

const MAX_ACTIVE = Number(__ENV.MAX_ACTIVE || 310000);
const WARM_RATE = Number(__ENV.WARM_RATE || 1000);
const WARM_DURATION = __ENV.WARM_DURATION || '10s';
const RATE = Number(__ENV.RATE || 5000);
const DURATION = __ENV.DURATION || '60s';
const RE_ENTER = Number(__ENV.RE_ENTER || 0.01);
const VUS = Number(__ENV.VUS || 1000);
const MAX_VUS = Number(__ENV.MAX_VUS || 4000);
const MAX_DROPPED = Number(__ENV.MAX_DROPPED || 0);

function arrivals(rate, duration, startTime) {
  return {
    executor: 'constant-arrival-rate', rate, duration, startTime, timeUnit: '1s', preAllocatedVUs: VUS, maxVUs: MAX_VUS,
  };
}

export const options = {
  scenarios: {
    warm: arrivals(WARM_RATE, WARM_DURATION, '0s'),
    crowd: arrivals(RATE, DURATION, WARM_DURATION),
  },
  thresholds: {
    'http_req_duration{name:enter}': ['p(95)<200', 'p(99)<500'],
    queue_entry_success: ['rate>0.999'],
    dropped_iterations: [`count<=${MAX_DROPPED}`],
    ...invariants,
  },
  systemTags: ['name', 'status', 'expected_response'], // each of the others is one more thing to sort by
  summaryTrendStats: trendStats,
};

export function setup() {
  return configure({ maxActive: MAX_ACTIVE, readySeconds: 3600, activeSeconds: 3600 });
}

export default function (concert) {
  const user = randomUser();
  const memory = new Memory();
  const times = Math.random() < RE_ENTER ? 2 : 1;
  for (let i = 0; i < times; i += 1) {
    const response = http.request(...enterRequest(concert, user));
    const data = dataOf(response);
    const good = memory.hear(data) && typeof data.token === 'string' && data.position >= 0 &&
      (data.status === 'READY' || (data.status === 'WAITING' && data.pollAfterMs >= 1000));
    entered.add(good);
    if (!good) check(response, { 'enter: a place and a token': () => false });
  }
}

export function handleSummary(data) {
  return summary(data, {
    plan: 'queue-entry-scale-test',
    title: 'Everybody enters at once',
    main: 'http_req_duration{name:enter}',
    counted: 'queue_entry_success',
    command: `GOGC=400 k6 run -e BASE_URL=${BASE_URL} -e ADMIN_TOKEN=... -e RATE=${RATE} -e DURATION=${DURATION} ` +
      `-e MAX_ACTIVE=${MAX_ACTIVE} k6/queue-entry-scale-test.js`,
    environment: { BASE_URL, CONCERT, MAX_ACTIVE, WARM_RATE, WARM_DURATION, RATE, DURATION, RE_ENTER, VUS, MAX_VUS },
  });
}
