// Which network a rehearsal gets: what is asked for, what it has, and what does not go together.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { chooseNetwork, rememberNetwork } from "../../../rehearsal/network";

describe("the network of a rehearsal", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), "network-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  test("is loopback with load balancers when nothing else is asked for", () => {
    expect(chooseNetwork(root, {})).toEqual({ place: "loopback", mode: "direct" });
  });

  test("is a tailnet between networks of the clouds' own when both are asked for", () => {
    const asked = { REHEARSAL_NET: "namespaces", NETWORK: "tailscale" };
    expect(chooseNetwork(root, asked)).toEqual({ place: "namespaces", mode: "tailscale" });
  });

  test("is no tailnet on loopback, and what to type is said", () => {
    expect(() => chooseNetwork(root, { NETWORK: "tailscale" })).toThrow(
      "REHEARSAL_NET=namespaces make rehearse NETWORK=tailscale",
    );
  });

  test.each([{ REHEARSAL_NET: "docker" }, { REHEARSAL_NET: "namespaces", NETWORK: "vpn" }])(
    "is none that the rehearsal cannot have: %j",
    (asked) => {
      expect(() => chooseNetwork(root, asked)).toThrow(/want .* or /);
    },
  );

  test("is remembered, and another one is refused while the rehearsal stands", () => {
    rememberNetwork(root, { place: "namespaces", mode: "tailscale" });
    expect(chooseNetwork(root, {})).toEqual({ place: "namespaces", mode: "tailscale" });
    expect(() => chooseNetwork(root, { NETWORK: "direct" })).toThrow("make rehearse-down");
  });

  test("is loopback for a rehearsal from before networks were remembered", () => {
    mkdirSync(path.join(root, "engine"));
    const asked = { REHEARSAL_NET: "namespaces" };
    expect(() => chooseNetwork(root, asked)).toThrow("make rehearse-down");
    expect(chooseNetwork(root, {})).toEqual({ place: "loopback", mode: "direct" });
  });
});
