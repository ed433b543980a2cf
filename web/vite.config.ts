import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [svelte()],
  base: './',
  build: {
    outDir: '../src/cutaway/studio/static',
    emptyOutDir: true,
    target: 'es2022',
    license: { fileName: 'notices.md' }, // what the page contains of other people's work, with their licenses
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
