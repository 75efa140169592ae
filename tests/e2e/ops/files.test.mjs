// What lies in deploy/ for systemd, Kubernetes, Grafana and Prometheus: is it valid, is it sandboxed, do the names in it exist?
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { create, post, signUp, subscribeLive, wsClient } from '../harness/client.mjs';
import { BIN, freePort, Process, ROOT, startSystem, until } from '../harness/system.mjs';

const DEPLOY = path.join(ROOT, 'deploy');
const read = (...where) => fs.readFileSync(path.join(DEPLOY, ...where), 'utf8');
const yaml = (...where) => JSON.parse(execFileSync('/usr/bin/python3', ['-c', 'import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))'], { input: read(...where), encoding: 'utf8' }));
const options = (program) => execFileSync(path.join(BIN, program), ['--help'], { encoding: 'utf8' });

describe('systemd', () => {
  const units = fs.readdirSync(path.join(DEPLOY, 'systemd'));
  const hardened = {
    NoNewPrivileges: 'yes', CapabilityBoundingSet: '', AmbientCapabilities: '', ProtectSystem: 'strict', ProtectHome: 'yes', PrivateTmp: 'yes', PrivateDevices: 'yes',
    MemoryDenyWriteExecute: 'yes', RestrictNamespaces: 'yes', RestrictSUIDSGID: 'yes', LockPersonality: 'yes', SystemCallArchitectures: 'native', ProtectKernelTunables: 'yes',
  };

  for (const unit of units)
    test(unit, () => {
      const text = read('systemd', unit);
      const settings = text.split('\n').filter((line) => /^\w+=/.test(line)).map((line) => line.split(/=(.*)/));
      const all = (name) => settings.filter(([key]) => key === name).map(([, value]) => value);
      for (const [name, value] of Object.entries(hardened)) assert.deepEqual(all(name), [value], name);
      assert.match(all('User')[0], /^parley-/);
      assert.match(all('SystemCallFilter').join(' '), /^@system-service ~.*@privileged/);
      const [program, ...words] = all('ExecStart')[0].split(' ');
      const help = options(path.basename(program));
      for (const word of words.filter((one) => one.startsWith('--'))) assert.ok(help.includes(`${word} `) || help.includes(`${word}\n`), word);
      for (const [name] of all('Environment').join(' ').matchAll(/PARLEY_\w+/g)) assert.ok(help.includes(name), name);
    });

  test('systemd finds nothing wrong, and little exposed', (t) => {
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) return t.diagnostic('there is no systemd-analyze here');
    for (const unit of units) {
      const file = path.join(DEPLOY, 'systemd', unit);
      const verify = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
      const wrong = verify.stderr.split('\n').filter((line) => line.includes(unit.split(/[@.]/)[0]) && !line.includes('is not executable'));
      assert.deepEqual(wrong, []);
      const security = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=15', file], { encoding: 'utf8' });
      if (!/unrecognized option|Unknown/.test(security.stderr)) assert.equal(security.status, 0, security.stdout.slice(-3000));
    }
  });

  test('the system calls that are left are enough', async (t) => {
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) return t.diagnostic('there is no systemd-analyze here');
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-unit-'));
    execFileSync(path.join(BIN, 'parley-store'), ['keygen', dir], { env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' } });
    const words = {
      'parley-gateway': ['--listen', `127.0.0.1:${await freePort()}`, '--services', `store=ipc://${dir}/bus`, '--keys', path.join(dir, 'gateway')],
      'parley-store': ['--bus', `ipc://${dir}/bus`, '--events', `ipc://${dir}/events`, '--database-url', 'postgresql://127.0.0.1:1/none', '--keys', path.join(dir, 'store')],
    };
    for (const unit of units) {
      const program = unit.split(/[@.]/)[0];
      const admin = `127.0.0.1:${await freePort()}`;
      const filtered = [path.join(ROOT, 'tests/e2e/ops/under_unit.py'), path.join(DEPLOY, 'systemd', unit), path.join(BIN, program)];
      const daemon = new Process(program, '/usr/bin/python3', [...filtered, '--admin', admin, ...words[program]], { env: { ASAN_OPTIONS: 'detect_leaks=0' } }).start();
      try {
        await until(`${program} to live`, async () => (await fetch(`http://${admin}/livez`)).status === 200, { timeoutMs: 10_000 });
        assert.deepEqual(await daemon.stop(), { code: 0, signal: null }, daemon.tail());
      } catch (error) {
        await daemon.stop('SIGKILL');
        throw new Error(`${error.message}\n${daemon.tail()}`);
      }
    }
    fs.rmSync(dir, { recursive: true });
  });
});

describe('Kubernetes', () => {
  const [kustomization] = yaml('kubernetes', 'kustomization.yaml');
  const objects = kustomization.resources.flatMap((file) => yaml('kubernetes', file));
  const of = (kind) => objects.filter((object) => object.kind === kind);

  test('all files are named, and each object has what its kind needs', () => {
    assert.deepEqual(fs.readdirSync(path.join(DEPLOY, 'kubernetes')).sort(), [...kustomization.resources, 'kustomization.yaml'].sort());
    const versions = { Namespace: 'v1', Service: 'v1', Deployment: 'apps/v1', PodDisruptionBudget: 'policy/v1', HorizontalPodAutoscaler: 'autoscaling/v2', NetworkPolicy: 'networking.k8s.io/v1' };
    for (const { apiVersion, kind, metadata } of objects) {
      assert.equal(apiVersion, versions[kind]);
      assert.match(metadata.name, /^[a-z0-9-]+$/);
    }
    for (const kind of Object.keys(versions)) assert.ok(of(kind).length > 0, kind);
  });

  // The schemas say what is required and of which type, and let pass what they do not know: that is what they never look at.
  const unseen = (value, where, found) => {
    if (value === null || typeof value !== 'object') return value;
    const left = new Set(Object.keys(value));
    found.push(() => [...left].map((key) => `${where}.${key}`));
    const below = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unseen(item, `${where}.${key}`, found)]));
    return new Proxy(Array.isArray(value) ? Object.values(below) : below, { get: (target, key) => (left.delete(key), target[key]) });
  };

  async function objections(object) {
    const group = { v1: 'CoreV1', 'apps/v1': 'AppsV1', 'policy/v1': 'PolicyV1', 'autoscaling/v2': 'AutoscalingV2', 'networking.k8s.io/v1': 'NetworkingV1' }[object.apiVersion];
    const { validate } = await import(`kubernetes-models/_schemas/IoK8sApi${group}${object.kind}`);
    const found = [];
    if (!validate(unseen(object, object.kind, found))) return validate.errors.map(({ instancePath, keyword, params }) => `${instancePath}: ${keyword} ${JSON.stringify(params)}`);
    return found.flatMap((left) => left());
  }

  test('each object is as Kubernetes has it, and without fields that it does not have', async () => {
    for (const object of objects) assert.deepEqual(await objections(object), [], `${object.kind} ${object.metadata.name}`);
    const [deployment] = of('Deployment');
    const changed = async (change) => {
      const copy = structuredClone(deployment);
      change(copy.spec, copy.spec.template.spec.containers[0]);
      return (await objections(copy)).join();
    };
    assert.match(await changed((spec) => delete spec.selector), /spec: required .*selector/);
    assert.match(await changed((_, container) => (container.ports[0].containerPort = '80')), /containerPort: type .*integer/);
    assert.equal(await changed((_, container) => (container.readinessProb = {})), 'Deployment.spec.template.spec.containers.0.readinessProb');
  });

  for (const { metadata, spec } of of('Deployment'))
    test(`${metadata.name}: sandboxed, probed, and its names are right`, () => {
      const { template } = spec;
      assert.deepEqual(spec.selector.matchLabels, template.metadata.labels);
      const [container] = template.spec.containers;
      assert.equal(template.spec.automountServiceAccountToken, false);
      assert.equal(template.spec.securityContext.runAsNonRoot, true);
      assert.equal(template.spec.securityContext.seccompProfile.type, 'RuntimeDefault');
      assert.deepEqual(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
      assert.ok(container.resources.limits.memory && container.resources.requests.cpu);
      const ports = new Map(container.ports.map(({ name, containerPort }) => [name, containerPort]));
      for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) assert.ok(ports.has(container[probe].httpGet.port), probe);
      assert.equal(Number(template.metadata.annotations['prometheus.io/port']), ports.get('admin'));
      const help = options(`parley-${metadata.name}`);
      for (const { name } of container.env) assert.ok(help.includes(name), name);
      const volumes = new Set(template.spec.volumes.map(({ name }) => name));
      for (const { name } of container.volumeMounts) assert.ok(volumes.has(name), name);
      const dockerfile = read('Dockerfile');
      assert.match(dockerfile, new RegExp(`useradd --uid ${template.spec.securityContext.runAsUser} `));
      assert.ok(dockerfile.includes(`PARLEY_KEYS=${container.volumeMounts[0].mountPath}`));
      const service = of('Service').find((one) => one.metadata.name === metadata.name);
      assert.deepEqual(service.spec.selector, template.metadata.labels);
      for (const { targetPort } of service.spec.ports) assert.ok(ports.has(targetPort), targetPort);
      const policy = of('NetworkPolicy').find((one) => one.metadata.name === metadata.name);
      assert.deepEqual(policy.spec.podSelector.matchLabels, template.metadata.labels);
      for (const { port } of policy.spec.ingress.flatMap((rule) => rule.ports)) assert.ok(ports.has(port), port);
    });

  test('nothing is allowed that is not said', () => {
    const closed = of('NetworkPolicy').find(({ metadata }) => metadata.name === 'default-deny').spec;
    assert.deepEqual(closed, { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    const [{ spec }] = of('HorizontalPodAutoscaler');
    assert.ok(of('Deployment').some(({ metadata }) => metadata.name === spec.scaleTargetRef.name));
  });
});

describe('containers', () => {
  test('read-only, without capabilities, not as root', () => {
    const compose = JSON.parse(execFileSync('/usr/bin/python3', ['-c', 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))'], { input: fs.readFileSync(path.join(ROOT, 'docker-compose.yml')), encoding: 'utf8' }));
    for (const [name, service] of Object.entries(compose.services)) {
      assert.deepEqual(service.cap_drop, ['ALL'], name);
      assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name);
      if (name !== 'postgres') assert.equal(service.read_only, true, name);
      assert.ok(!service.privileged && (name === 'balancer' || !service.ports), name);
    }
    for (const stage of read('Dockerfile').split(/^FROM /m).slice(2)) assert.match(stage.match(/^USER .*$/gm).at(-1), /^USER 10001:10001$/);
  });
});

describe('what is watched', () => {
  let system, known;
  before(async () => {
    system = await startSystem({ tcp: true });
    const ada = await signUp(system.url);
    const client = wsClient(system.wsUrl, ada.token);
    await subscribeLive(system.url, client, ada.token, 'room');
    await create(system.url, ada.token, 'x', { room: 'room' });
    await post(system.url, { query: '{ getMessages { body } }', token: ada.token });
    const texts = await Promise.all([...system.gateways, ...system.stores].map(async ({ admin }) => (await fetch(`http://${admin}/metrics`)).text()));
    await client.dispose();
    known = new Set(texts.join('\n').split('\n').filter((line) => line && line[0] !== '#').map((line) => line.match(/^[a-z_]+/)[0]));
  });
  after(() => system?.stop());

  const named = (expression) => expression.match(/\b(?:parley|process)_[a-z_]+\b/g);

  test('each metric on the dashboard exists', () => {
    const { panels } = JSON.parse(read('grafana', 'parley.json'));
    const names = panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => named(expr)));
    assert.ok(names.length > 20);
    for (const name of names) assert.ok(known.has(name), name);
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  });

  test('each metric that an alert looks at exists', () => {
    const [{ groups }] = yaml('prometheus', 'parley.rules.yaml');
    const rules = groups.flatMap((group) => group.rules);
    assert.ok(rules.length >= 5);
    for (const { alert, expr, annotations, labels } of rules) {
      assert.ok(annotations.summary && labels.severity, alert);
      for (const name of named(expr)) assert.ok(known.has(name), `${alert}: ${name}`);
    }
  });
});

describe('THREATS.md', () => {
  // | threat | defence | `file`: name of a test |
  const rows = read('THREATS.md').split('\n').filter((line) => /^\|.*`tests\//.test(line));
  const every = [...rows.flatMap((row) => [...row.split('|').at(-2).matchAll(/`(tests\/[^`]+)`: ([^;]+)/g)])];

  test('names tests that exist', () => {
    assert.ok(every.length >= 20, `${every.length} tests are named`);
    for (const [, file, name] of every) {
      const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
      assert.ok(text.includes(name.trim()), `${file} has no "${name.trim()}"`);
    }
  });

  test('shows a test for each threat', () => {
    const table = read('THREATS.md').split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| threat'));
    assert.equal(table.length, rows.length);
  });
});
