// Stack prod by the real engine, on clouds that echo: with tunnels between them, which dev has not, and under protection.
import { EchoStack, MINUTES, stepsOf } from "./suite";

jest.setTimeout(5 * MINUTES);

let prod: EchoStack;
beforeAll(async () => {
  prod = await EchoStack.of("prod", (settings) => {
    settings["clouds"].gcp.project = "a-project-of-mine";
    for (const cloud of Object.values<{ access: object }>(settings["clouds"]))
      cloud.access = { ranges: ["192.88.99.0/24"] };
    settings["network"] = { mode: "vpn" };
    for (const cloud of Object.values<{ spire: object }>(settings["clouds"]))
      cloud.spire = { replicas: 2, managedDatastore: {} };
  });
});
afterAll(() => prod?.clouds.stop());

it("is stood up as it was previewed with unknowns, and nothing is to be changed then", async () => {
  const engine = await prod.engine();
  const first = await engine.preview();
  expect(prod.clouds.unknown.size).toBeGreaterThan(50);
  const made = await engine.up();
  expect(stepsOf(made)).toEqual(stepsOf(first));
  expect(Object.keys(made.changes)).toEqual(["create"]);
  prod.clouds.unknown.clear();
  const then = await engine.preview();
  expect([stepsOf(then), [...prod.clouds.unknown]]).toEqual([[], []]);
});

it("is not destroyed while it is protected, and then in an order that no cloud refuses", async () => {
  await expect((await prod.engine()).preview({ end: true })).rejects.toThrow(
    /resource "\S*-spire-server" cannot be deleted\s+because it is protected/,
  );
  const open = await prod.engine(({ clouds, spire }) => {
    clouds.gcp.deletionProtection = false;
    spire.protect = false;
  });
  expect(stepsOf(await open.up())).toEqual([
    "delete azure-spire-server-database-lock",
    "update aws-spire-server-database",
    "update gcp-cluster",
    "update gcp-spire-server-database",
  ]);
  expect(prod.unordered()).toEqual([]);
  await open.destroy();
  expect([...prod.clouds.made.keys()]).toEqual([]);
});
