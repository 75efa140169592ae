// HAProxy that ends TLS in front of a gateway with a certificate of its own, as deploy/run does for PARLEY_TLS_PORT.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';
import { Process, freePort, until } from './system.mjs';

function sign(dir) {
  const file = (name) => path.join(dir, name);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', file('tls.key'), '-out', file('tls.crt')], { stdio: 'ignore' });
  fs.writeFileSync(file('tls.pem'), fs.readFileSync(file('tls.key')) + fs.readFileSync(file('tls.crt')), { mode: 0o600 });
  return file('tls.pem');
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

// {url, port, stop()} for the system's first gateway.
export async function startTls(system) {
  const port = await freePort();
  const config = path.join(system.dir, 'haproxy-tls.cfg');
  fs.writeFileSync(
    config,
    `defaults
    mode http
    timeout connect 5s
    timeout client 75s
    timeout server 75s
    timeout tunnel 1h
frontend tls
    bind 127.0.0.1:${port} ssl crt ${sign(system.dir)} alpn h2,http/1.1
    default_backend gateways
backend gateways
    server local 127.0.0.1:${system.gateways[0].port}
`,
  );
  const process = new Process('haproxy', 'haproxy', ['-db', '-f', config]).start();
  await until('HAProxy to end TLS', () => accepts(port)).catch((error) => {
    throw new Error(`${error.message}\n${process.tail()}`);
  });
  return { port, url: `https://localhost:${port}`, stop: () => process.stop('SIGKILL') };
}
