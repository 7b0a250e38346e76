import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App.js";
import "./app.css";
import { readBackendUrl } from "./config.js";
import { keepTheme } from "./lib/theme.js";
import { openConnection } from "./session/SessionProvider.js";
import { ErrorState } from "./ui/States.js";

keepTheme();
const element = document.getElementById("root");
if (element === null) throw new Error("index.html has no element with the id root");
const root = createRoot(element);

try {
  const connection = openConnection(await readBackendUrl());
  root.render(
    <StrictMode>
      <App connection={connection} />
    </StrictMode>,
  );
} catch (error) {
  root.render(
    <main className="mx-auto max-w-lg p-6">
      <ErrorState error={error} what="dashboard" />
    </main>,
  );
}
