// The order of builds: two at a time, what is needed first before the others, and one at a time of a module.
import { inTurn } from "../../../rehearsal/programs/build";
import { PROGRAMS } from "../../../rehearsal/programs/table";

test("builds are begun in the order of the table, two side by side, never two of one module", async () => {
  const names = ["headscale", "spire-agent", "kube-proxy", "kubelet", "pulumi"];
  const log: string[] = [];
  let running: string[] = [];
  const builds = names.map((name) => {
    const program = PROGRAMS.find(({ binary }) => binary === name)!;
    return inTurn(program, async () => {
      log.push(name);
      running.push(program.dir);
      expect(running.length).toBeLessThanOrEqual(2);
      expect(new Set(running).size).toBe(running.length);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running = running.filter((dir) => dir !== program.dir);
    });
  });
  await Promise.all(builds);
  expect(log).toEqual(["pulumi", "kubelet", "spire-agent", "kube-proxy", "headscale"]);
});

test("a build that fails lets the next one begin", async () => {
  const [first, second] = PROGRAMS;
  const failed = inTurn(first!, () => Promise.reject(new Error("no")));
  const done = inTurn(second!, () => Promise.resolve());
  await expect(failed).rejects.toThrow("no");
  await done;
});
