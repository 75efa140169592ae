// Bundles for browsers what the tests run in them.
import { build } from 'esbuild';

export async function bundle(contents, resolveDir, options = {}) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir, sourcefile: 'page.mjs', loader: 'jsx' },
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    logLevel: 'error',
    define: { global: 'window' },
    ...options,
  });
  return outputFiles[0].text;
}
