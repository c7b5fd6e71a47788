import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Beside each file a compressed one, where that saves something worth a request: the program sends what a browser takes. */
const compressed: Plugin = {
  name: 'compressed',
  apply: 'build',
  writeBundle({ dir }) {
    if (!dir) throw new Error('the output has no directory');
    for (const name of readdirSync(dir, { recursive: true }) as string[]) {
      if (!/\.(js|css|html)$/.test(name)) continue;
      const bytes = readFileSync(join(dir, name));
      const small = gzipSync(bytes, { level: 9 });
      if (small.length < bytes.length * 0.9) writeFileSync(join(dir, `${name}.gz`), small);
    }
  },
};

export default defineConfig({
  base: '/console/',
  build: { target: 'es2021', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  plugins: [compressed],
});
