// Serves the pages, bundled anew at each load of a page, in front of any running gateway.
// Usage: npm run dev [-- GATEWAY_URL [PORT]]      (http://localhost:8080, 5173)
import http from "node:http";
import net from "node:net";
import { bundle, policyText } from "./build.mjs";

const gateway = new URL(process.argv[2] ?? "http://localhost:8080");
const port = Number(process.argv[3] ?? 5173);
let assets = new Map();

async function rebuild() {
    const options = { minify: false, sourcemap: "inline", define: { "process.env.NODE_ENV": '"development"' } };
    assets = new Map((await bundle(options)).map((asset) => [asset.path, asset]));
}

function isPage(request) {
    const wantsHtml = (request.headers.accept ?? "").includes("text/html");
    return request.method === "GET" && wantsHtml && ["/", "/graphql"].includes(request.url.split("?")[0]);
}

async function respond(request, response) {
    if (isPage(request)) {
        await rebuild();
    }
    const path = request.url.split("?")[0];
    const asset = assets.get(path === "/graphql" && isPage(request) ? "/graphiql" : path);
    if (!asset) {
        forward(request, response);
        return;
    }
    response.writeHead(200, {
        "content-type": asset.type,
        "content-security-policy": policyText(asset.policy),
        "cache-control": "no-store",
    });
    response.end(asset.bytes);
}

function forward(request, response) {
    const { method, url, headers } = request;
    const onward = http.request(new URL(url, gateway), { method, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
    });
    onward.on("error", (error) => response.writeHead(502).end(`${gateway.href}: ${error.message}\n`));
    request.pipe(onward);
}

/** WebSockets: the request is repeated as it came, then bytes flow both ways. */
function tunnel(request, socket, head) {
    const onward = net.connect(Number(gateway.port || 80), gateway.hostname, () => {
        onward.write(`${request.method} ${request.url} HTTP/1.1\r\n`);
        for (let i = 0; i < request.rawHeaders.length; i += 2) {
            onward.write(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}\r\n`);
        }
        onward.write("\r\n");
        onward.write(head);
        onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
}

await rebuild();
http.createServer((request, response) => {
    respond(request, response).catch((error) => response.writeHead(500).end(`${error.message}\n`));
})
    .on("upgrade", tunnel)
    .listen(port, "127.0.0.1", () => console.log(`http://localhost:${port}, in front of ${gateway.href}`));
