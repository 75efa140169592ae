import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";
import { fetcher, sessionHeaders } from "./graphiql/fetcher";
import { DEFAULT_QUERY } from "./graphiql/query";
import "graphiql/style.css";
import "@fontsource-variable/inter/wght.css";
import "./styles/graphiql.css";

/** A server that does not answer must not keep the page away. */
const SESSION_WITHIN_MS = 2_000;

async function start(): Promise<void> {
    const late = new Promise<null>((resolve) => setTimeout(resolve, SESSION_WITHIN_MS, null));
    const headers = await Promise.race([sessionHeaders(), late]);
    createRoot(document.getElementById("app")!).render(
        <GraphiQL
            fetcher={fetcher}
            defaultQuery={DEFAULT_QUERY}
            defaultHeaders={headers ? JSON.stringify(headers, null, 2) : '{\n  "Authorization": ""\n}'}
            defaultEditorToolsVisibility="headers"
        >
            <GraphiQL.Logo>
                <a className="back" href="/">
                    Parley
                </a>
            </GraphiQL.Logo>
        </GraphiQL>,
    );
}

void start();
