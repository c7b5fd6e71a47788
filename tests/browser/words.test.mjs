// Both languages have the same keys, and the same {places} in them. The compiler sees the keys, not the places.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

function table(language) {
  const text = readFileSync(new URL(`../../web/console/src/${language}.ts`, import.meta.url), 'utf8');
  const entries = [...text.matchAll(/(?<=[{,]\s*)(\w+):\s+'([^']*)'/g)].map(([, key, words]) => [key, words]);
  assert.ok(entries.length > 100, `only ${entries.length} words in ${language}.ts`);
  return new Map(entries);
}

test('English and Korean have the same keys and places', () => {
  const en = table('en');
  const ko = table('ko');
  assert.deepEqual([...ko.keys()].sort(), [...en.keys()].sort());
  const places = (words) => [...words.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [key, words] of en) assert.deepEqual(places(ko.get(key)), places(words), key);
  for (const [key, words] of ko) assert.ok(words.trim(), key);
});
