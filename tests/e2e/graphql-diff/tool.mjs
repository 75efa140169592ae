// The engine's front half as a process that answers one line with one line (tests/unit/graphql/gql_tool.c).
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';

const ROOT = new URL('../../../', import.meta.url).pathname;

export function toolPath(name = 'gql_tool') {
    const folders = [process.env.PARLEY_BIN, ...['asan', 'debug'].map((preset) => `${ROOT}build/${preset}/bin`)];
    const candidates = folders.filter(Boolean).map((folder) => `${folder}/${name}`);
    if (name === 'gql_tool') candidates.unshift(process.env.PARLEY_GQL_TOOL);
    return candidates.find((path) => path && existsSync(path));
}

export class Tool {
    constructor(path = toolPath()) {
        this.process = spawn(path, [], { stdio: ['pipe', 'pipe', 'inherit'] });
        this.waiting = [];
        createInterface({ input: this.process.stdout }).on('line', (line) => this.waiting.shift().resolve(JSON.parse(line)));
        this.process.on('exit', (code, signal) => {
            for (const { reject } of this.waiting) reject(new Error(`gql_tool ended: ${signal ?? code}`));
        });
    }

    ask(question) {
        return new Promise((resolve, reject) => {
            this.waiting.push({ resolve, reject });
            this.process.stdin.write(`${JSON.stringify(question)}\n`);
        });
    }

    close() {
        this.process.stdin.end();
    }
}
