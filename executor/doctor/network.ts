import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect, createServer } from "node:net";
import { ASSERTION_MS_MAX } from "../../convex/protocol/limits.js";
import type { Clock } from "../clock.js";
import type { Config } from "../config.js";
import { fail, type Finding, ok, warn } from "./check.js";

const ANSWER_MS_MAX = 5_000;
/** Beyond this the clocks differ enough to look at, long before sign-ins fail. */
const SKEW_WARN_MS = 5_000;
/** An assertion lives this long: with clocks further apart no sign-in works. */
const SKEW_FAIL_MS = ASSERTION_MS_MAX;
const API_HOST = "api.anthropic.com";

/** Two findings: whether the deployment answers, and whether its clock and ours agree. */
export async function checkDeployment(convexUrl: string, clock: Clock): Promise<Finding[]> {
  const name = "deployment";
  const answer = await head(new URL("/version", convexUrl)).catch((error: unknown) =>
    String(error),
  );
  if (typeof answer === "string") {
    const fix = "check CONVEX_URL, the backend's process, and the network between";
    return [fail(name, `${convexUrl} does not answer: ${answer}`, fix)];
  }
  const reached =
    answer.status < 500
      ? ok(name, `${convexUrl} answers`)
      : fail(name, `${convexUrl} answers ${String(answer.status)}`, "look at the backend's log");
  return answer.date === undefined ? [reached] : [reached, checkClock(answer.date, clock.now())];
}

function checkClock(theirs: number, ours: number): Finding {
  const apartMs = Math.abs(theirs - ours);
  // The header counts whole seconds.
  const says = `${String(Math.round(apartMs / 1_000))} s apart from the deployment's`;
  const fix = "let this machine's clock follow NTP, e.g. `timedatectl set-ntp true`";
  if (apartMs > SKEW_FAIL_MS) return fail("clock", says, fix);
  return apartMs > SKEW_WARN_MS ? warn("clock", says, fix) : ok("clock", says);
}

/** The health page's port is free, or an executor answers there already. */
export async function checkPort({ host, port }: Pick<Config, "host" | "port">): Promise<Finding> {
  if (!isLoopback(host)) {
    return warn(
      "health page",
      `HOST ${host} shows it to others`,
      "set HOST to 127.0.0.1 unless a firewall is in front of it",
    );
  }
  if (port === 0 || (await isFree(host, port)))
    return ok("health page", `${host}:${String(port)} is free`);
  const answer = await head(new URL(`http://${host}:${String(port)}/health`)).catch(
    () => undefined,
  );
  return answer?.status === 200
    ? ok("health page", `an executor answers at ${host}:${String(port)}`)
    : fail(
        "health page",
        `${host}:${String(port)} is in use`,
        "set PORT to a free port, or to 0 for any",
      );
}

/** Warnings only: a proxy or a private host may serve where a direct connection does not. */
export async function checkHosts(config: Pick<Config, "gitHosts" | "login">): Promise<Finding[]> {
  const { baseUrl } = config.login;
  const api = baseUrl === undefined ? { host: API_HOST, port: 443 } : addressOf(new URL(baseUrl));
  const hosts = config.gitHosts.map((host) => addressOf(new URL(`https://${host}`)));
  const named = [
    { name: "model API", ...api },
    ...hosts.map((address) => ({ name: `git host ${address.host}`, ...address })),
  ];
  return Promise.all(
    named.map(async ({ name, host, port }) => {
      const trouble = await cannotConnect(host, port);
      const where = `${host}:${String(port)}`;
      return trouble === undefined
        ? ok(name, `${where} accepts connections`)
        : warn(
            name,
            `${where}: ${trouble}`,
            "allow outgoing connections to it, or jobs that need it fail",
          );
    }),
  );
}

function addressOf(url: URL): { host: string; port: number } {
  const otherwise = url.protocol === "https:" ? 443 : 80;
  return { host: url.hostname, port: url.port === "" ? otherwise : Number(url.port) };
}

function head(url: URL): Promise<{ status: number; date: number | undefined }> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(
      url,
      { method: "GET", signal: AbortSignal.timeout(ANSWER_MS_MAX) },
      (response) => {
        response.resume();
        const date = Date.parse(response.headers.date ?? "");
        resolve({
          status: response.statusCode ?? 0,
          date: Number.isNaN(date) ? undefined : date,
        });
      },
    );
    request.once("error", reject);
    request.end();
  });
}

function cannotConnect(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: ANSWER_MS_MAX });
    const settle = (trouble: string | undefined): void => {
      socket.destroy();
      resolve(trouble);
    };
    socket.once("connect", () => {
      settle(undefined);
    });
    socket.once("timeout", () => {
      settle("no answer");
    });
    socket.once("error", (error) => {
      settle(error.message);
    });
  });
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => {
      resolve(false);
    });
    server.listen(port, host, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
