// `npm run images` against a registry on loopback that speaks the API as the public ones do, and fails as they do.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { check, exitCode, type Finding, newer, parts } from "../../images/check";
import { apiOf, Registry } from "../../images/registry";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const PAGE = 2;

/** What is in the registry, by repository: digests by tag. A digest without a tag is under its own name. */
const IMAGES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "team/current": {
    "v1.2.3": digest("a"),
    "v1.2.2": digest("b"),
    "v1.3.0": digest("c"),
    latest: digest("c"),
  },
  "team/old": {
    "1.2.3-slim": digest("a"),
    "1.2.10-slim": digest("b"),
    "1.2.9-slim": digest("c"),
    "1.2.11": digest("d"),
    "1.9.0-slim": digest("e"),
  },
  "team/moved": { "1.0.0": digest("b"), [digest("a")]: digest("a") },
  "team/rebuilt": { "1.0.0": digest("b") },
};
/** How a repository answers that fails. */
const FAILURES: Readonly<Record<string, readonly [number, Record<string, string>]>> = {
  "team/limited": [429, { "retry-after": "60" }],
  "team/broken": [503, {}],
  "team/private": [401, { "www-authenticate": 'Basic realm="team"' }],
};

let server: Server;
let api: string;
let asked: string[] = [];

function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url!, api);
  asked.push(`${request.method} ${url.pathname}`);
  const end = (status: number, headers: Record<string, string> = {}, body?: object) =>
    response.writeHead(status, headers).end(body && JSON.stringify(body));
  if (url.pathname === "/token") {
    const { service, scope } = Object.fromEntries(url.searchParams);
    return void end(200, {}, { token: `${service} ${scope}` });
  }
  const [, name, kind, reference] = /^\/v2\/(.+)\/(manifests|tags)\/([^/]+)$/.exec(url.pathname)!;
  const failure = FAILURES[name!];
  if (failure) return void end(...failure);
  const scope = `repository:${name}:pull`;
  if (request.headers.authorization !== `Bearer here ${scope}`) {
    const challenge = `Bearer realm="${api}/token",service="here",scope="${scope}"`;
    return void end(401, { "www-authenticate": challenge });
  }
  const tags = IMAGES[name!];
  if (kind === "manifests") {
    const found = tags?.[reference!];
    return void end(found ? 200 : 404, found ? { "docker-content-digest": found } : {});
  }
  const names = Object.keys(tags ?? {}).filter((tag) => !tag.includes(":"));
  const from = Number(url.searchParams.get("from") ?? 0);
  const next = `</v2/${name}/tags/list?from=${from + PAGE}>; rel="next"`;
  end(200, from + PAGE < names.length ? { link: next } : {}, { name, tags: names.slice(from, from + PAGE) });
}

beforeAll(async () => {
  server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  asked = [];
});

const look = (image: string, pin: object = {}): Promise<Finding> =>
  check({ reference: `registry.example.org/${image}`, ...pin }, new Registry(() => api));

test.each([
  ["there and newest", "team/current:v1.2.3", { digest: digest("a") }, { state: "fine", says: [] }],
  [
    "not pinned by digest",
    "team/current:v1.2.3",
    {},
    { state: "fine", says: [`no digest is pinned; v1.2.3 is ${digest("a")}`] },
  ],
  ["old", "team/old:1.2.3-slim", { digest: digest("a") }, { state: "older", says: ["1.2.10-slim is newer"] }],
  [
    "old in its major",
    "team/old:1.2.3-slim",
    { digest: digest("a"), line: "major" },
    { state: "older", says: ["1.9.0-slim is newer"] },
  ],
  [
    "moved",
    "team/moved:1.0.0",
    { digest: digest("a") },
    { state: "moved", says: [`1.0.0 is ${digest("b")} now; pods still get ${digest("a")}`] },
  ],
  [
    "rebuilt",
    "team/rebuilt:1.0.0",
    { digest: digest("a") },
    { state: "missing", says: [`has no ${digest("a")} any more; 1.0.0 is ${digest("b")} now`] },
  ],
  ["without its tag", "team/current:v9.9.9", {}, { state: "missing", says: ["has no tag v9.9.9"] }],
  ["in no repository", "team/none:1.0.0", {}, { state: "missing", says: ["has no tag 1.0.0"] }],
])("an image that is %s is said to be so", async (_, image, pin, found) => {
  expect(await look(image, pin)).toEqual(found);
  expect(asked.filter((line) => line === "GET /token")).toHaveLength(1);
});

test.each([
  ["team/limited", /has been asked too often; it asks to wait 60 s/],
  ["team/broken", /answered 503/],
  ["team/private", /wants a login, or has no such repository \(401\)/],
])("%s could not be asked of, which is not missing", async (name, words) => {
  const { state, says } = await look(`${name}:1.0.0`);
  expect(state).toBe("not asked");
  expect(says.join()).toMatch(words);
});

test("a registry that cannot be reached is said to be so", async () => {
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const registry = new Registry(() => `http://127.0.0.1:${port}`);
  const found = await check({ reference: "registry.example.org/team/current:v1.2.3" }, registry);
  expect(found).toEqual({
    state: "not asked",
    says: [`127.0.0.1:${port} cannot be reached (ECONNREFUSED)`],
  });
});

test("tags are told apart by their numbers, and of other kinds of image nothing is taken", () => {
  const tags = ["v1.2.9", "v1.2.10", "1.2.11", "v1.2.12-rc.1", "v1.2.12-arm64", "v1.2", "v1.3.0"];
  expect(newer("v1.2.3", tags)).toBe("v1.2.10");
  expect(newer("v1.2.10", tags)).toBeUndefined();
  expect(newer("stable", tags)).toBeUndefined();
});

test("it fails for what is missing or moved, and says 2 where nothing is known", () => {
  const code = (...states: Finding["state"][]) => exitCode(states.map((state) => ({ state, says: [] })));
  expect(code("fine", "older")).toBe(0);
  expect(code("fine", "not asked")).toBe(2);
  expect(code("moved", "not asked")).toBe(1);
  expect(code("missing")).toBe(1);
});

test("a reference has its parts, and Docker Hub another address than its name", () => {
  const { repository, tag } = parts("docker.io/library/node:24.21.0-bookworm-slim");
  expect({ ...repository, tag }).toEqual({
    registry: "docker.io",
    name: "library/node",
    tag: "24.21.0-bookworm-slim",
  });
  expect(apiOf(repository.registry)).toBe("https://registry-1.docker.io");
  expect(apiOf("ghcr.io")).toBe("https://ghcr.io");
});
