// Starts tests/e2e/services/echo.py (the service of proto/bus.md 11) for a test.
import { fileURLToPath } from 'node:url';
import { Process } from '../harness/process.mjs';

export function echoService(endpoint, env = {}) {
  const script = fileURLToPath(new URL('./echo.py', import.meta.url));
  return new Process('echo', '/usr/bin/python3', [script, endpoint], { env });
}
