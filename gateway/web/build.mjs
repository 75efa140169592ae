// Bundles the two pages and writes, into the directory given, everything that is compiled into the gateway:
//   files/             the assets, each also as .gz and .br where that is smaller
//   assets_table.c     what the gateway knows of each: path, type, ETag, policy, sizes
//   assets_data.S      their bytes, by .incbin
// Usage: node build.mjs OUTPUT_DIRECTORY
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import zlib from "node:zlib";

const gzip = promisify(zlib.gzip);
const brotli = promisify(zlib.brotliCompress);
const here = path.dirname(fileURLToPath(import.meta.url));

const TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
};

/** What every page may do: nothing. Pages add to it what they need. */
const POLICY = {
    "default-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
};
const CHAT_POLICY = {
    ...POLICY,
    "script-src": "'self'",
    "style-src": "'self'",
    "font-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    // The page never turns a string into markup or code, and the browser sees to it.
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
};
// CodeMirror draws the marks of its linter from data: images.
const GRAPHIQL_POLICY = {
    ...POLICY,
    "script-src": "'self'",
    "style-src": "'self'",
    "font-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
};

export const PAGES = [
    { path: "/", html: "chat.html", entry: "chat.tsx", policy: CHAT_POLICY },
    { path: "/graphiql", html: "graphiql.html", entry: "graphiql.tsx", policy: GRAPHIQL_POLICY },
];

/** The version of GraphiQL's style sheet that brings no fonts of its own along: they are most of its weight. */
const withoutEmbeddedFonts = {
    name: "without-embedded-fonts",
    setup(build) {
        build.onLoad({ filter: /graphiql[\\/]dist[\\/]style\.css$/ }, async ({ path: file }) => {
            const text = await readFile(file, "utf8");
            return { contents: text.replace(/@font-face\s*\{[^}]*\}/g, ""), loader: "css" };
        });
    },
};

/** Options of esbuild for both pages; the development server uses them too. */
export function bundleOptions(page) {
    return {
        absWorkingDir: here,
        entryPoints: [path.join(here, "src", page.entry)],
        bundle: true,
        format: "esm",
        target: ["es2022"],
        jsx: "automatic",
        outdir: "/assets",
        entryNames: "[name]-[hash]",
        assetNames: "[name]-[hash]",
        publicPath: "/assets",
        loader: { ".woff2": "file" },
        alias: { "react-style-singleton": path.join(here, "src/graphiql/no-style-singleton.ts") },
        plugins: [withoutEmbeddedFonts],
        define: { "process.env.NODE_ENV": '"production"' },
        minify: true,
        legalComments: "none",
        metafile: true,
        write: false,
        logLevel: "warning",
    };
}

/** All assets by path: {path, type, immutable, policy, bytes}. */
export async function bundle(options = {}) {
    const esbuild = await import("esbuild");
    const assets = new Map();
    const add = (asset) => assets.set(asset.path, asset);
    const icon = await readFile(path.join(here, "pages/favicon.svg"));
    const iconPath = `/assets/favicon-${hash(icon).slice(0, 8)}.svg`;
    add({ path: iconPath, type: TYPES[".svg"], immutable: true, policy: POLICY, bytes: icon });
    // Browsers that were shown no page ask for this one by themselves.
    add({ path: "/favicon.ico", type: TYPES[".svg"], immutable: false, policy: POLICY, bytes: icon });
    for (const page of PAGES) {
        const result = await esbuild.build({ ...bundleOptions(page), ...options });
        for (const file of result.outputFiles) {
            const name = path.basename(file.path);
            const bytes = Buffer.from(file.contents);
            add({ path: `/assets/${name}`, type: typeOf(name), immutable: true, policy: POLICY, bytes });
        }
        const outputs = result.outputFiles.map((file) => path.basename(file.path));
        const stem = path.parse(page.entry).name;
        const html = await readFile(path.join(here, "pages", page.html), "utf8");
        const filled = fill(html, {
            favicon: iconPath,
            script: `/assets/${only(outputs, stem, ".js")}`,
            style: `/assets/${only(outputs, stem, ".css")}`,
            font: `/assets/${only(outputs, "inter-latin-wght-normal", ".woff2")}`,
        });
        add({ path: page.path, type: TYPES[".html"], immutable: false, policy: page.policy, bytes: Buffer.from(filled) });
    }
    return [...assets.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function policyText(policy) {
    return Object.entries(policy)
        .map(([directive, value]) => `${directive} ${value}`)
        .join("; ");
}

function hash(bytes) {
    return createHash("sha256").update(bytes).digest("hex");
}

function typeOf(name) {
    const type = TYPES[path.extname(name)];
    if (!type) {
        throw new Error(`no content type is known for ${name}`);
    }
    return type;
}

function only(names, stem, extension) {
    const pattern = new RegExp(`^${stem}-[A-Z0-9]+\\${extension}$`);
    const found = names.filter((name) => pattern.test(name));
    if (found.length !== 1) {
        throw new Error(`expected one ${stem}*${extension}, found ${found.length}`);
    }
    return found[0];
}

function fill(html, values) {
    return html.replace(/\{\{(\w+)\}\}/g, (_, name) => {
        if (!(name in values)) {
            throw new Error(`nothing to put in place of {{${name}}}`);
        }
        return values[name];
    });
}

/** A compressed form, or null where it does not pay. */
async function compressed(bytes, type, compress) {
    if (type === TYPES[".woff2"]) {
        return null;
    }
    const result = await compress(bytes);
    return result.length < bytes.length * 0.95 ? result : null;
}

async function encodings(asset) {
    const { bytes, type } = asset;
    return {
        identity: bytes,
        gzip: await compressed(bytes, type, (data) => gzip(data, { level: 9 })),
        brotli: await compressed(bytes, type, (data) =>
            brotli(data, {
                params: {
                    [zlib.constants.BROTLI_PARAM_QUALITY]: zlib.constants.BROTLI_MAX_QUALITY,
                    [zlib.constants.BROTLI_PARAM_SIZE_HINT]: data.length,
                },
            }),
        ),
    };
}

const SUFFIXES = { identity: "", gzip: ".gz", brotli: ".br" };

function fileName(asset) {
    const name = asset.path === "/" ? "/index.html" : asset.path;
    return name.slice(1) + (path.extname(name) ? "" : ".html");
}

function cString(text) {
    return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

async function write(directory) {
    const assets = await bundle();
    await rm(directory, { recursive: true, force: true });
    await mkdir(path.join(directory, "files/assets"), { recursive: true });
    const declarations = [];
    const rows = [];
    const data = ["/* Generated by gateway/web/build.mjs. */", '    .section .rodata, "a"'];
    for (const [index, asset] of assets.entries()) {
        const fields = [];
        for (const [encoding, bytes] of Object.entries(await encodings(asset))) {
            if (!bytes) {
                fields.push(`     .${encoding} = {NULL, 0},`);
                continue;
            }
            const symbol = `web_asset_${index}_${encoding}`;
            const file = `files/${fileName(asset)}${SUFFIXES[encoding]}`;
            await writeFile(path.join(directory, file), bytes);
            declarations.push(`extern const unsigned char ${symbol}[];`);
            fields.push(`     .${encoding} = {${symbol}, ${bytes.length}},`);
            // The digest makes this file differ whenever the bytes do, so that it is assembled again.
            data.push(`    .global ${symbol}`, `    .balign 16`, `${symbol}: /* ${hash(bytes)} */`, `    .incbin "${file}"`);
        }
        rows.push(
            `    {.path = ${cString(asset.path)},`,
            `     .content_type = ${cString(asset.type)},`,
            `     .etag = ${cString(`"${hash(asset.bytes).slice(0, 32)}"`)},`,
            `     .immutable = ${asset.immutable},`,
            ...fields,
            `     .csp = ${cString(policyText(asset.policy))}},`,
        );
    }
    data.push('    .section .note.GNU-stack, "", %progbits', "");
    const table = [
        "/* Generated by gateway/web/build.mjs. */",
        '#include "gateway/web/assets_table.h"',
        "",
        "#include <stddef.h>",
        "",
        ...declarations,
        "",
        "const web_asset_t web_assets[] = {",
        ...rows,
        "};",
        "const size_t web_assets_count = sizeof web_assets / sizeof web_assets[0];",
        "",
    ];
    await writeFile(path.join(directory, "assets_data.S"), data.join("\n"));
    await writeFile(path.join(directory, "assets_table.c"), table.join("\n"));
    const total = assets.reduce((sum, asset) => sum + asset.bytes.length, 0);
    console.log(`web: ${assets.length} assets, ${Math.round(total / 1024)} KiB before compression`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const directory = process.argv[2];
    if (!directory) {
        console.error("usage: node build.mjs OUTPUT_DIRECTORY");
        process.exit(2);
    }
    await write(path.resolve(directory));
}
