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
        createInterface({ input: this.process.stdout }).on('line', (line) => this.#answer(line));
        this.process.stdin.on('error', () => {}); // it has ended, and `exit` says so
        this.process.on('error', (error) => this.#end(error));
        this.process.on('exit', (code, signal) => this.#end(new Error(`${path} ended: ${signal ?? code}`)));
    }

    #answer(line) {
        try {
            const answer = JSON.parse(line);
            this.waiting.shift().resolve(answer);
        } catch (error) {
            this.#end(error);
            this.process.kill();
        }
    }

    // Nobody waits for what cannot come any more.
    #end(error) {
        this.ended ??= error;
        for (const { reject } of this.waiting.splice(0)) reject(this.ended);
    }

    ask(question) {
        if (this.ended) return Promise.reject(this.ended);
        return new Promise((resolve, reject) => {
            this.waiting.push({ resolve, reject });
            this.process.stdin.write(`${JSON.stringify(question)}\n`);
        });
    }

    // Unanswered questions are not waited for: a test that failed is over.
    close() {
        if (this.waiting.length) this.process.kill();
        else this.process.stdin.end();
    }
}

// Gives tools to a function; they end with it, however that ends.
export async function withTools(paths, use) {
    const tools = paths.map((path) => new Tool(path));
    try {
        return await use(...tools);
    } finally {
        for (const tool of tools) tool.close();
    }
}
