// A line in motion: 2,000 people arrive a second, wait as long as they are told to, go in, stay a while and leave.
//
//   GOGC=400 k6 run -e BASE_URL=http://127.0.0.1:8080 -e ADMIN_TOKEN=$SPILLWAY_ADMIN_TOKEN k6/queue-circulation-test.js
//
// GOGC=400: fewer collections of garbage leave k6 more of its CPU.
//
// BASE_URL             where Spillway listens, with --identity open     http://127.0.0.1:8080
// ADMIN_TOKEN          its admin secret: the line is configured and watched
// CONCERT              the name of the line                             a new one
// MAX_ACTIVE           how many may be in at once                       50000
// RATE, DURATION       arrivals a second, for how long                  2000, 3m
// STAY_MIN, STAY_MAX   seconds inside                                   5, 30
// WARM                 seconds until as many leave as come: from then on exits are held against entries   STAY_MAX + 10
// PEOPLE               people that one virtual user looks after         100
// VUS, MAX_VUS         virtual users made before the start, and at most 1000, 4000
// MAX_DROPPED          iterations (of PEOPLE people each) that k6 may drop for want of virtual users   0
// REPORT_DIR           optional: an existing folder for the summary as JSON and Markdown
//
// Everybody who waits or stays would hold a virtual user: 35,000 of them and more. A browser needs no thread for a tab
// that waits, and neither does k6: one virtual user sends for PEOPLE people, whose waits are timers.
// It opens a connection for each answer that is still to come: give it open files (`ulimit -n`) and cores of its own.
//
// Exit code 0, or 99 when a threshold failed.

import http from 'k6/http';
import exec from 'k6/execution';
import { sleep } from 'k6';
import { Counter, Gauge, Trend } from 'k6/metrics';

import { randomUser } from './lib/login.js';
import { summary } from './lib/summary.js';
import {
  BASE_URL, CONCERT, Memory, configure, dataOf, enterRequest, entered, invariants, removed, ticketRequest, trendStats,
  view,
} from './lib/waitroom.js';

const MAX_ACTIVE = Number(__ENV.MAX_ACTIVE || 50000);
const RATE = Number(__ENV.RATE || 2000);
const DURATION = __ENV.DURATION || '3m';
const STAY_MIN = Number(__ENV.STAY_MIN || 5);
const STAY_MAX = Number(__ENV.STAY_MAX || 30);
const WARM = Number(__ENV.WARM || STAY_MAX + 10);
const PEOPLE = Number(__ENV.PEOPLE || 100);
const VUS = Number(__ENV.VUS || 1000);
const MAX_VUS = Number(__ENV.MAX_VUS || 4000);
const MAX_DROPPED = Number(__ENV.MAX_DROPPED || 0);

const activationWait = new Trend('queue_activation_wait', true);
const overCap = new Counter('queue_active_over_cap');
const active = new Gauge('queue_active_seen');
const exitPerEntry = new Gauge('queue_exit_per_entry');

export const options = {
  scenarios: {
    people: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: `${PEOPLE}s`, // so that RATE people come a second
      duration: DURATION,
      preAllocatedVUs: VUS,
      maxVUs: MAX_VUS,
      gracefulStop: '120s',
    },
    watch: { executor: 'constant-vus', exec: 'watch', vus: 1, duration: DURATION },
  },
  batchPerHost: PEOPLE, // k6 keeps as many connections of a virtual user open
  thresholds: {
    'http_req_duration{name:enter}': ['p(95)<200'],
    'http_req_duration{name:poll}': ['p(95)<100'],
    'http_req_duration{name:remove}': ['p(95)<100'],
    queue_activation_wait: ['p(95)<30000'],
    queue_entry_success: ['rate>0.999'],
    queue_removal_success: ['rate>0.99'],
    queue_active_over_cap: ['count==0'],
    queue_exit_per_entry: ['value>=0.95'],
    dropped_iterations: [`count<=${MAX_DROPPED}`],
    ...invariants,
  },
  systemTags: ['name', 'status', 'expected_response'], // each of the others is one more thing to sort by
  summaryTrendStats: trendStats,
};

export function setup() {
  return configure({ maxActive: MAX_ACTIVE, readySeconds: 60, activeSeconds: 300 });
}

const after = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

async function ask(request) {
  const response = await http.asyncRequest(...request);
  // 0: mostly a connection that the server had just closed as idle. Each of these requests may be sent again.
  return dataOf(response.status === 0 ? await http.asyncRequest(...request) : response);
}

/** One life in the line, from arriving to leaving. */
async function live(concert, user) {
  const memory = new Memory();
  const arrived = Date.now();
  let told = await ask(enterRequest(concert, user));
  entered.add(memory.hear(told));
  while (told !== null && told.status === 'WAITING') {
    await after(told.pollAfterMs);
    told = await ask(ticketRequest('poll', memory.token));
    memory.hear(told);
  }
  if (told !== null) told = await ask(ticketRequest('activate', memory.token));
  if (told === null) return removed.add(false); // refused on the way: never got as far
  activationWait.add(Date.now() - arrived);

  // Inside, asking as often as told until it is time to go.
  const leaves = Date.now() + (STAY_MIN + Math.random() * (STAY_MAX - STAY_MIN)) * 1000;
  while (told !== null && Date.now() + told.pollAfterMs < leaves) {
    await after(told.pollAfterMs);
    told = await ask(ticketRequest('poll', memory.token));
    memory.hear(told);
  }
  await after(leaves - Date.now());
  return removed.add((await ask(ticketRequest('remove', memory.token))) !== null);
}

export default async function (concert) {
  const lives = [];
  for (let i = 0; i < PEOPLE; i += 1) {
    lives.push(after(i * (1000 / RATE)).then(() => live(concert, randomUser())));
  }
  await Promise.all(lives);
}

let warm = null;

/** Once a second, from outside: the cap, and whether as many leave as come. */
export function watch(concert) {
  const seen = view(concert);
  if (seen !== null) {
    const { waiting, ready, active: inside, entered: came } = seen.sizes;
    active.add(ready + inside);
    if (ready + inside > MAX_ACTIVE) overCap.add(1);
    const now = { came, left: came - waiting - ready - inside };
    if (Date.now() - exec.scenario.startTime >= WARM * 1000) {
      if (warm === null) warm = now;
      else if (now.came > warm.came) exitPerEntry.add((now.left - warm.left) / (now.came - warm.came));
    }
  }
  sleep(1);
}

export function handleSummary(data) {
  return summary(data, {
    plan: 'queue-circulation-test',
    title: 'A line in motion',
    main: 'http_req_duration{name:enter}',
    counted: 'queue_entry_success',
    command: `GOGC=400 k6 run -e BASE_URL=${BASE_URL} -e ADMIN_TOKEN=... -e RATE=${RATE} -e DURATION=${DURATION} ` +
      `-e MAX_ACTIVE=${MAX_ACTIVE} k6/queue-circulation-test.js`,
    environment: {
      BASE_URL, CONCERT, MAX_ACTIVE, RATE, DURATION, STAY_MIN, STAY_MAX, WARM, PEOPLE, VUS, MAX_VUS,
    },
  });
}
