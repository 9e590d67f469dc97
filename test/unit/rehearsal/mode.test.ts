// Which network a rehearsal gets: what is asked for, what it has, and what does not go together.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { chooseMode, rememberMode } from "../../../rehearsal/machine/mode";

describe("the network of a rehearsal", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), "mode-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  test("is load balancers alone when nothing else is asked for", () => {
    expect(chooseMode(root, undefined)).toBe("direct");
    expect(chooseMode(root, "")).toBe("direct");
  });

  test("is none that the rehearsal cannot have", () => {
    expect(() => chooseMode(root, "vpn")).toThrow("NETWORK=vpn: want direct or tailscale");
  });

  test("is remembered, and another one is refused while the rehearsal stands", () => {
    rememberMode(root, chooseMode(root, "tailscale"));
    expect(chooseMode(root, undefined)).toBe("tailscale");
    expect(() => chooseMode(root, "direct")).toThrow("make rehearse-down");
  });
});
