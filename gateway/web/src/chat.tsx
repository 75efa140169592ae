import { createRoot } from "react-dom/client";
import { ChatPage } from "./components/ChatPage";
import { Welcome } from "./components/Welcome";
import { useStore } from "./lib/hooks";
import { session } from "./session/session";
import "@fontsource-variable/inter/wght.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/welcome.css";
import "./styles/chat.css";
import "./styles/messages.css";
import "./styles/members.css";

function App() {
    const { handle, ended } = useStore(session.identity);
    return handle === null ? <Welcome hasEnded={ended} /> : <ChatPage key={handle} handle={handle} />;
}

createRoot(document.getElementById("app")!).render(<App />);
