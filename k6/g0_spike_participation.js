// A crowd arrives at once: everybody logs in as somebody new and signs up for one participation event.
//
//   k6 run -e BASE_URL=http://127.0.0.1:8080 -e EVENT_ID=EVT-009 -e VUS=300 -e DURATION=60s \
//     k6/g0_spike_participation.js
//
// BASE_URL      where Spillway listens                          http://127.0.0.1:8080
// EVENT_ID      the participation event; it must be open        EVT-009
// VUS, DURATION how many at once, for how long                  300, 60s
// ACCESS_TOKEN  optional: no login, every request is the same person's (and must get the same requestId)
// REPORT_DIR    optional: an existing folder for the summary as JSON and Markdown
//
// Exit code 0, or 99 when a threshold failed: see lib/thresholds.js.

import http from 'k6/http';
import { check, sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';

import { randomUser, login } from './lib/login.js';
import { intakeThresholds } from './lib/thresholds.js';
import { summary } from './lib/summary.js';

const BASE_URL = (__ENV.BASE_URL || 'http://127.0.0.1:8080').replace(/\/+$/, '');
const EVENT_ID = __ENV.EVENT_ID || 'EVT-009';
const VUS = Number(__ENV.VUS || 300);
const DURATION = __ENV.DURATION || '60s';
const ACCESS_TOKEN = __ENV.ACCESS_TOKEN || '';

export const options = {
  scenarios: {
    spike: {
      executor: 'constant-vus',
      vus: VUS,
      duration: DURATION,
      gracefulStop: '30s',
    },
  },
  thresholds: intakeThresholds,
  summaryTrendStats: ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)', 'p(99)'],
};

const accepted = new Counter('participations_accepted');
const participateDuration = new Trend('participate_duration', true);

function parse(response) {
  try {
    return response.json();
  } catch (_) {
    return null; // no JSON: the checks say so
  }
}

export default function () {
  const token = ACCESS_TOKEN || login(BASE_URL, randomUser());
  if (!token) {
    sleep(Math.random()); // it is counted by http_req_failed and its check; a crowd must not come back as one
    return;
  }
  const response = http.post(`${BASE_URL}/events/${EVENT_ID}/participations`, null, {
    headers: { Authorization: `Bearer ${token}` },
    tags: { name: 'participate' },
  });
  participateDuration.add(response.timings.duration);
  const body = parse(response);
  const requestId = body && body.requestId;
  const good = check(response, {
    'participate: status is 202': (r) => r.status === 202,
    'participate: requestId is present': () => typeof requestId === 'string' && requestId.length > 0,
    'participate: no status in the body': () => body !== null && !('status' in body),
  });
  if (good) {
    accepted.add(1);
  }
}

export function handleSummary(data) {
  return summary(data, {
    plan: 'g0_spike_participation',
    title: 'Spike of participations',
    main: 'participate_duration',
    counted: 'participations_accepted',
    command: `k6 run -e BASE_URL=${BASE_URL} -e EVENT_ID=${EVENT_ID} -e VUS=${VUS} ` +
      `-e DURATION=${DURATION} k6/g0_spike_participation.js`,
    environment: { BASE_URL, EVENT_ID, VUS, DURATION,
      ACCESS_TOKEN: ACCESS_TOKEN ? 'given: one person for all requests' : 'none: a fresh random user per iteration' },
  });
}
