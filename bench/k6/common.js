// What both scripts are told by bench/load.py, and how they tell it what they did.

export const options = {
  scenarios: {
    all: { executor: 'constant-vus', vus: Number(__ENV.CONNECTIONS), duration: `${__ENV.SECONDS}s` },
  },
  systemTags: ['name', 'status', 'expected_response'], // each of the others is one more thing to sort by
};

export function handleSummary(data) {
  return { [__ENV.SUMMARY]: JSON.stringify(data) };
}
