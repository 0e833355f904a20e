import {defineConfig} from 'vite';

// tools/console dev
const origin = process.env.CONSOLE_ORIGIN;

export default defineConfig({
  build: {
    target: 'es2022',
    // A file of its own for everything: the policy of the page takes no inline script or image.
    assetsInlineLimit: 0,
    modulePreload: {polyfill: false},
    reportCompressedSize: false,
  },
  server: {
    proxy: origin ? {'/api': {target: origin, changeOrigin: true, headers: {origin}}} : {},
  },
});
