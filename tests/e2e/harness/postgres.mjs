// A private PostgreSQL cluster for one test file. PostgreSQL refuses to run as root, so it gets its own user then.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Process, until } from './process.mjs';

const BIN = findBin();

function findBin() {
  const root = '/usr/lib/postgresql';
  const versions = fs.existsSync(root) ? fs.readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  if (versions.length === 0) throw new Error('PostgreSQL is not installed (apt-get install postgresql)');
  return path.join(root, versions[0], 'bin');
}

function owner() {
  if (process.getuid() !== 0) return {};
  const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

export class Postgres {
  // conf: lines of postgresql.conf. fsync=off by default: the tests kill processes, not the machine; synchronous_commit
  // stays on.
  constructor(dir, conf = 'fsync = off\nshared_buffers = 32MB\n') {
    this.dir = dir;
    this.conf = conf;
    this.data = path.join(dir, 'data');
    this.owner = owner();
    fs.mkdirSync(dir, { recursive: true, mode: 0o755 });
    if (this.owner.uid !== undefined) fs.chownSync(dir, this.owner.uid, this.owner.gid);
  }

  // The databases' owner in the tests; every other role is peer-less and local.
  get url() {
    return `postgresql:///postgres?host=${encodeURIComponent(this.dir)}&user=parley`;
  }

  init() {
    execFileSync(
      path.join(BIN, 'initdb'),
      ['-D', this.data, '-U', 'parley', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync', '--no-instructions'],
      { ...this.owner, stdio: 'ignore', cwd: '/' },
    );
    fs.appendFileSync(
      path.join(this.data, 'postgresql.conf'),
      `listen_addresses = ''\nunix_socket_directories = '${this.dir}'\nmax_connections = 80\n${this.conf}`,
    );
    return this;
  }

  async start() {
    this.process = new Process('postgres', path.join(BIN, 'postgres'), ['-D', this.data], { ...this.owner, cwd: '/' });
    // A postmaster killed with SIGKILL leaves backends that hold its shared memory for a moment: it then refuses to start.
    await until('PostgreSQL to accept connections', async () => {
      if (!this.process.isRunning) this.process.start();
      await new Promise((resolve) => setTimeout(resolve, 50));
      return this.isReady();
    });
    return this;
  }

  isReady() {
    try {
      execFileSync(path.join(BIN, 'pg_isready'), ['-q', '-h', this.dir], { stdio: 'ignore', cwd: '/' });
      return true;
    } catch {
      return false;
    }
  }

  // Rows of text, columns split at |.
  sql(statement) {
    const out = execFileSync(
      path.join(BIN, 'psql'),
      ['-h', this.dir, '-U', 'parley', '-d', 'postgres', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', statement],
      { encoding: 'utf8', cwd: '/' },
    );
    return out.split('\n').filter(Boolean).map((line) => line.split('|'));
  }

  async stop() {
    if (this.process) await this.process.stop('SIGINT');
  }

  async kill() {
    await this.process.stop('SIGKILL');
  }
}
