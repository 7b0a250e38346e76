/** The command line's view of its environment; the only reader of process.env in cli/. */
import path from "node:path";
import { homedir } from "node:os";

/** Where a login for the real Anthropic API may come from, in the order the CLI itself prefers. */
export type LoginSources = {
  apiKey: string | undefined;
  oauthToken: string | undefined;
  credentialsFile: string;
};

export type Config = {
  /** What a child process needs of our environment and nothing else: no keys, no Convex settings. */
  childEnvironment: Readonly<Record<string, string>>;
  login: LoginSources;
  /** The deployment and the API key that scripts give; they go before what `login` has kept. */
  url: string | undefined;
  apiKey: string | undefined;
  /** Where `login` keeps its key. */
  loginFile: string;
};

const PASSED_ON = [
  "PATH",
  "HOME",
  "USER",
  "LANG",
  "LC_ALL",
  "TZ",
  "TMPDIR",
  "SYSTEMROOT",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "GIT_SSL_CAINFO",
];

/** Reads the environment once. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const present = (name: string): string | undefined => {
    const value = environment[name];
    return value === undefined || value === "" ? undefined : value;
  };
  const home = present("HOME") ?? homedir();
  const ownDir = path.join(present("XDG_CONFIG_HOME") ?? path.join(home, ".config"), "fondation");
  const configDir = present("CLAUDE_CONFIG_DIR") ?? path.join(home, ".claude");
  return {
    childEnvironment: Object.fromEntries(
      PASSED_ON.flatMap((name) => {
        const value = present(name);
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    url: present("FONDATION_URL"),
    apiKey: present("FONDATION_API_KEY"),
    loginFile: path.join(ownDir, "login.json"),
    login: {
      apiKey: present("ANTHROPIC_API_KEY"),
      oauthToken: present("CLAUDE_CODE_OAUTH_TOKEN"),
      credentialsFile: path.join(configDir, ".credentials.json"),
    },
  };
}
