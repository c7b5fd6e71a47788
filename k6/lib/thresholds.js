// What must hold, in k6's grammar. One missed: exit code 99.

/** The promise of intake under a spike: nobody is refused, and every answer is what it must be. */
export const intakeThresholds = {
  http_req_failed: ['rate<0.01'],
  checks: ['rate==1'],
  participations_accepted: ['count>0'], // a run in which nobody came proves nothing
};
