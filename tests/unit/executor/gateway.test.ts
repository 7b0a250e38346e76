import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../executor/clock.js";
import {
  type Credential,
  fileCredential,
  fixedCredential,
  standInLogin,
} from "../../../executor/gateway/credential.js";
import {
  type Gateway,
  type GatewayOptions,
  openGateway,
} from "../../../executor/gateway/gateway.js";
import { tempDir } from "../../support/tempDir.js";

const KEY = "sk-ant-api03-real-0123456789";
const none = { baseUrl: undefined, apiKey: undefined, oauthToken: undefined, configDir: "/none" };
const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Seen = { url: string; headers: IncomingHttpHeaders; body: string };
type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** The model's API as the gateway sees it. */
async function anApi(answer: Answer = (response) => response.end("{}")) {
  const seen: Seen[] = [];
  const server = createServer((incoming, response) => {
    let body = "";
    incoming.on("data", (piece: Buffer) => (body += piece.toString()));
    incoming.on("end", () => {
      seen.push({ url: incoming.url ?? "", headers: incoming.headers, body });
      answer(response, incoming);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });
  // A TCP server that listens has an AddressInfo.
  return { seen, url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}` };
}

async function aGateway(upstream: string, more: Partial<GatewayOptions> = {}): Promise<Gateway> {
  const gateway = await openGateway({
    upstream: new URL(upstream),
    credential: fixed({ apiKey: KEY }),
    listen: "loopback",
    onRefusal: () => undefined,
    ...more,
  });
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await gateway.close();
    isOpen = false;
  };
  closers.push(close);
  return { ...gateway, close };
}

function fixed(login: { apiKey: string } | { oauthToken: string }): Credential {
  const credential = fixedCredential({ ...none, ...login });
  if (credential === undefined) throw new Error("that is a login");
  return credential;
}

const ask = (gateway: Gateway, more: RequestInit = {}, at = "/v1/messages") =>
  fetch((gateway.url ?? "") + at, {
    method: "POST",
    headers: { "x-api-key": gateway.token },
    body: "{}",
    redirect: "manual",
    ...more,
  });

describe("the gateway between a run and the model's API", () => {
  it("an API key: puts it in the place of the run's token, and hands on the rest", async () => {
    const api = await anApi((response) => {
      response.writeHead(429, {
        "anthropic-ratelimit-unified-reset": "1795343201",
        "retry-after": "7",
        "set-cookie": "a=b",
      });
      response.end("limited");
    });
    const gateway = await aGateway(`${api.url}/base/`);
    const headers = { "x-api-key": gateway.token, "anthropic-beta": "one,two", cookie: "c=d" };
    const answer = await ask(gateway, { headers, body: "hello" }, "/v1/messages?beta=true");
    expect(answer.status).toBe(429);
    expect(await answer.text()).toBe("limited");
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "anthropic-ratelimit-unified-reset": "1795343201",
      "retry-after": "7",
    });
    expect(answer.headers.has("set-cookie")).toBe(false);
    const [seen] = api.seen;
    expect(seen).toMatchObject({ url: "/base/v1/messages?beta=true", body: "hello" });
    expect(seen?.headers).toMatchObject({ "x-api-key": KEY, "anthropic-beta": "one,two" });
    expect(seen?.headers).not.toHaveProperty("cookie");
    expect(seen?.headers).not.toHaveProperty("authorization");
  });

  it("a token of a login: goes as a bearer, with the beta that it needs", async () => {
    const api = await anApi();
    const credential = fixed({ oauthToken: "sk-ant-oat01-real-0123456789" });
    const gateway = await aGateway(api.url, { credential });
    const headers = { authorization: `Bearer ${gateway.token}`, "anthropic-beta": "one" };
    expect((await ask(gateway, { headers })).status).toBe(200);
    expect(api.seen[0]?.headers).toMatchObject({
      authorization: "Bearer sk-ant-oat01-real-0123456789",
      "anthropic-beta": "one,oauth-2025-04-20",
    });
    expect(JSON.stringify(api.seen)).not.toContain(gateway.token);
  });

  it.each([
    ["a wrong token", {}, { headers: { "x-api-key": "sk-ant-api03-guessed" } }, 401],
    ["no token", {}, { headers: {} }, 401],
    ["the real key", {}, { headers: { "x-api-key": KEY } }, 401],
    ["another path", { at: "/v1/files" }, {}, 403],
    ["a path that goes on", { at: "/v1/messages/batches" }, {}, 403],
    ["an encoded path", { at: "/v1/messages%2f..%2ffiles" }, {}, 403],
    ["another method", {}, { method: "PUT" }, 403],
  ] as [string, { at?: string }, RequestInit, number][])(
    "44: %s → refused, and the API hears nothing",
    async (...[, { at }, more, status]) => {
      const api = await anApi();
      const gateway = await aGateway(api.url);
      expect((await ask(gateway, more, at)).status).toBe(status);
      expect(api.seen).toEqual([]);
    },
  );

  it("44: the token after the run's end → nobody answers, nor does another run's gateway", async () => {
    const api = await anApi();
    const [first, second] = [await aGateway(api.url), await aGateway(api.url)];
    await first.close();
    await expect(ask(first)).rejects.toThrow("fetch failed");
    const late = await ask(second, { headers: { "x-api-key": first.token } });
    expect(late.status).toBe(401);
    expect(api.seen).toEqual([]);
  });

  it("a whole URL in the request line → refused, whatever host it names", async () => {
    const [api, other] = [await anApi(), await anApi()];
    const gateway = await aGateway(api.url);
    const { port } = new URL(gateway.url ?? "");
    const call = request({
      ...{ port, host: "127.0.0.1", method: "POST", path: `${other.url}/v1/messages` },
      headers: { "x-api-key": gateway.token },
    }).end();
    const [answer] = (await once(call, "response")) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(403);
    expect([...api.seen, ...other.seen]).toEqual([]);
  });

  it("a redirect of the API → not followed, not handed on", async () => {
    const other = await anApi();
    const api = await anApi((response) => {
      response.writeHead(307, { location: `${other.url}/v1/messages` }).end();
    });
    const answer = await ask(await aGateway(api.url));
    expect(answer.status).toBe(502);
    expect(answer.headers.has("location")).toBe(false);
    expect(other.seen).toEqual([]);
  });

  it("an event of a stream arrives before the next one is sent", async () => {
    let more: (() => void) | undefined;
    const api = await anApi((response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write("event: one\n\n");
      more = () => response.end("event: two\n\n");
    });
    const answer = await ask(await aGateway(api.url));
    const reader = answer.body?.getReader();
    const first = await reader?.read();
    expect(new TextDecoder().decode(first?.value as Uint8Array)).toBe("event: one\n\n");
    more?.();
    const second = await reader?.read();
    expect(new TextDecoder().decode(second?.value as Uint8Array)).toBe("event: two\n\n");
  });

  it("who goes away mid-answer, or whose run ends → the API's request ends too", async () => {
    const ended: Promise<unknown>[] = [];
    const api = await anApi((response) => {
      ended.push(once(response, "close"));
      response.writeHead(200).write("begun");
    });
    const gateway = await aGateway(api.url);
    const leaving = new AbortController();
    await ask(gateway, { signal: leaving.signal });
    leaving.abort();
    await ended[0];
    const cut = await ask(gateway);
    await gateway.close();
    await expect(cut.text()).rejects.toThrow("terminated");
    await ended[1];
  });

  it("a body beyond any prompt → refused before it is all taken", async () => {
    const gateway = await aGateway((await anApi()).url);
    const answer = await ask(gateway, { body: Buffer.alloc(65 * 1024 * 1024) }).catch(
      // A server may close on who still sends.
      () => ({ status: 413 }),
    );
    expect(answer.status).toBe(413);
  });

  it("refusals without end → the operator's log names the first of them, and says so", async () => {
    const said: string[] = [];
    const gateway = await aGateway((await anApi()).url, { onRefusal: (why) => said.push(why) });
    for (let i = 0; i < 40; i += 1) {
      const answer = await ask(gateway, { headers: { "x-api-key": "guessed" } });
      expect(answer.status).toBe(401);
    }
    expect(said).toHaveLength(20);
    expect(said.at(-1)).toBe(
      "not the token of this run (further refusals of this run are not told)",
    );
  });

  it("more requests at a time than any run makes → the rest is told to wait", async () => {
    const held: ServerResponse[] = [];
    let isReleased = false;
    const api = await anApi((response) => {
      if (isReleased) response.end();
      else held.push(response);
    });
    let refusals = 0;
    const allRefused = new Promise<void>((resolve) => {
      const onRefusal = (): void => {
        refusals += 1;
        if (refusals === 8) resolve();
      };
      void aGateway(api.url, { onRefusal }).then((gateway) => {
        asked.push(...Array.from({ length: 40 }, () => ask(gateway)));
      });
    });
    const asked: Promise<Response>[] = [];
    await allRefused;
    isReleased = true;
    for (const response of held) response.end();
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 503)).toHaveLength(8);
    expect(statuses.filter((status) => status === 200)).toHaveLength(32);
  });

  it("an API that is not there → said so as an error that the CLI tries again", async () => {
    const answer = await ask(await aGateway("http://127.0.0.1:9"));
    expect(answer.status).toBe(502);
    expect(await answer.text()).toContain("ECONNREFUSED");
  });
});

describe("a login file", () => {
  const folder = tempDir("login");
  const login = { ...none, configDir: folder };
  const keep = (accessToken: string, expiresAt: number): Promise<void> => {
    const claudeAiOauth = {
      ...{ accessToken, expiresAt, refreshToken: "refresh-0123456789" },
      ...{ scopes: ["user:inference"], subscriptionType: "max" },
    };
    return writeFile(path.join(folder, ".credentials.json"), JSON.stringify({ claudeAiOauth }));
  };
  beforeEach(() => {
    closers.push(() => rm(path.join(folder, ".credentials.json")));
  });
  const later = Date.now() + 3_600_000;

  it("is read anew for each request", async () => {
    await keep("first", later);
    const file = await fileCredential(login, {
      clock: systemClock,
      renew: () => Promise.resolve(),
    });
    expect(await file?.current()).toBe("first");
    await keep("second", later);
    expect(await file?.current()).toBe("second");
  });

  it("about to expire → renewed once, for all who ask meanwhile", async () => {
    await keep("old", Date.now() + 1_000);
    let renewals = 0;
    const renew = async (): Promise<void> => {
      renewals += 1;
      await keep("new", later);
    };
    const file = await fileCredential(login, { clock: systemClock, renew });
    expect(await Promise.all([file?.current(), file?.current()])).toEqual(["new", "new"]);
    expect(renewals).toBe(1);
  });

  it("refused by the API → renewed; blanked by a renewal → no login any more", async () => {
    await keep("revoked", later);
    let renewed: Promise<void> | undefined;
    const renew = (): Promise<void> => (renewed = keep("", 0));
    const file = await fileCredential(login, { clock: systemClock, renew });
    file?.refused();
    await renewed;
    expect(await file?.current()).toBeUndefined();
  });

  it("what the run gets of it → the same account, and neither of its tokens", async () => {
    await keep("access-0123456789", later);
    const stand = await standInLogin(login, "run-token", 1_000);
    expect(JSON.parse(stand ?? "")).toMatchObject({
      claudeAiOauth: {
        ...{ accessToken: "run-token", refreshToken: "", subscriptionType: "max" },
        scopes: ["user:inference"],
      },
    });
    expect(stand).not.toContain("0123456789");
  });
});
