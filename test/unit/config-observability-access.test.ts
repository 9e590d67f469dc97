// Kubeconfigs of existing clusters, as Prometheus in another cloud has to use them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { ConfigError, parseConfig } from "../../infra/config";
import { formatPath } from "../../infra/config/problem";
import { CA_DATA } from "../support/kubeconfig";

let dir: string;
beforeAll(() => void (dir = mkdtempSync(path.join(tmpdir(), "config-access-"))));
afterAll(() => rmSync(dir, { recursive: true }));

/** Problems of a mesh of two existing clusters, of which the second has this in its kubeconfig. */
function problemsOf(cluster: object, observability: object = {}): string[] {
  for (const [name, more] of Object.entries({ here: {}, there: cluster })) {
    const server = `https://${name}.example`;
    const config = {
      kind: "Config",
      clusters: [{ name: "c", cluster: { server, "certificate-authority-data": CA_DATA, ...more } }],
      users: [{ name: "u", user: { token: "hidden" } }],
      contexts: [{ name: `${name}-cluster`, context: { cluster: "c", user: "u" } }],
    };
    writeFileSync(path.join(dir, name), JSON.stringify(config));
  }
  const cloud = (name: string, i: number) => ({
    provider: "existing",
    kubeconfig: name,
    region: name,
    podCidr: `10.${i}.0.0/16`,
    serviceCidr: `10.${i + 1}.0.0/16`,
  });
  const raw = {
    clouds: { here: cloud("here", 1), there: cloud("there", 3) },
    network: { mode: "direct" },
    observability,
  };
  try {
    parseConfig(raw, { stack: "test", projectDir: dir });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `${formatPath(path)}: ${message}`);
  }
  return [];
}

const LOOPBACK = { "proxy-url": "http://hidden@127.0.0.1:8080" };

test("may name a proxy and another name of the API server", () => {
  const more = { "tls-server-name": "api.internal", "proxy-url": "http://proxy.example:3128" };
  expect(problemsOf(more)).toEqual([]);
});

test("have all that keeps Prometheus away told before anything is made, and nothing of them quoted", () => {
  const start = "clouds.there.kubeconfig: cannot be used by Prometheus in here: its proxy-url ";
  const end = ", or observability.enabled: false";
  const found = problemsOf(LOOPBACK);
  expect(found).toHaveLength(2);
  for (const problem of found) {
    expect(problem.startsWith(start) && problem.endsWith(end)).toBe(true);
    expect(problem).not.toContain("hidden");
  }
});

test("may be anything where Prometheus does not need them: without it, and in the cloud that it runs in", () => {
  expect(problemsOf(LOOPBACK, { enabled: false })).toEqual([]);
  expect(problemsOf(LOOPBACK, { home: "there" })).toEqual([]);
});

test("that cannot be read at all are told once", () => {
  expect(problemsOf({}, {})).toEqual([]);
  const missing = { "certificate-authority-data": undefined, "certificate-authority": "none" };
  const found = problemsOf({ ...missing, ...LOOPBACK });
  expect(found).toEqual([expect.stringMatching(/^clouds\.there\.kubeconfig: cannot be used: /)]);
});
