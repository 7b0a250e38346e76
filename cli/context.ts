/** What every command is given, and how one gets to the backend as the person who signed in. */
import { useKey, type Backend } from "./backend.js";
import type { Config } from "./config.js";
import { CommandError, exitCodes } from "./errors.js";
import { readLogin } from "./loginFile.js";
import type { Output } from "./output.js";

export type Context = {
  config: Config;
  output: Output;
  stdin: AsyncIterable<string | Buffer>;
  /** Whether there is somebody to answer a question. */
  isInteractive: boolean;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
};

/** Runs a command to its end and keeps its exit code; nothing is 0. */
export type Run = (command: (context: Context) => Promise<number | undefined>) => Promise<void>;

/** Acts as whom FONDATION_API_KEY is of, else as who signed in last. */
export async function withBackend<T>(
  { config }: Context,
  act: (backend: Backend) => Promise<T>,
): Promise<T> {
  const { url, key } = await credentialOf(config);
  const backend = await useKey(url, key);
  try {
    return await act(backend);
  } finally {
    await backend.close();
  }
}

async function credentialOf(config: Config): Promise<{ url: string; key: string }> {
  const { url, apiKey, loginFile } = config;
  if (apiKey !== undefined) {
    if (url !== undefined) return { url, key: apiKey };
    throw new CommandError(
      "FONDATION_API_KEY is set without FONDATION_URL: set both, or neither and sign in",
      exitCodes.usage,
    );
  }
  const login = await readLogin(loginFile);
  if (login !== null && (url === undefined || url === login.url)) return login;
  const where = url ?? "URL";
  throw new CommandError(
    `not signed in${url === undefined ? "" : ` at ${url}`}: run fondation login --url ${where}`,
    exitCodes.denied,
  );
}
