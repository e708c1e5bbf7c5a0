import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { precompress } from './tools/precompress.ts';
import { uiBudget } from './tools/ui-budget.ts';

/** The web UI: `ui/` → `dist/ui` with hashed names, served by Gantry itself under a strict CSP. */
export default defineConfig({
  root: 'ui',
  plugins: [react(), uiBudget(), precompress()],
  build: {
    outDir: '../dist/ui',
    emptyOutDir: true,
    target: 'baseline-widely-available',
    manifest: 'manifest.json',
    // Nothing is inlined: the CSP allows scripts and styles of our own origin only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  worker: { format: 'es' },
  server: { proxy: { '/api': 'http://127.0.0.1:3000' } },
});
