// Which of several servers carries out a command.
import { fault } from "../../../components/trust/fault";
import { inAnyReplica, podsOf } from "../../../components/trust/replica";

const PODS = podsOf("spire-server", 2);
const ok = { exitCode: 0, stdout: "done", stderr: "" };
const down = () => fault("aws: there is no pod spire/spire-server-0.", { transient: true, podMissing: true });
const starting = { exitCode: 1, stdout: "", stderr: "rpc error: code = Unavailable" };

/** Runs one command; `pods` is what each pod does. Returns the outcome, and the pods that were asked. */
async function run(server: string, pods: Record<string, object>) {
  const asked: string[] = [];
  const outcome = await inAnyReplica(
    server,
    PODS[0]!,
    () => PODS,
    async (pod) => {
      asked.push(pod);
      const does = pods[pod]!;
      if (does instanceof Error) throw does;
      return does as typeof ok;
    },
  ).catch((error: unknown) => error);
  return { outcome, asked };
}

test.each<[string, Record<string, object>, unknown, string[]]>([
  ["the first, while it is up", { "spire-server-0": ok }, ok, ["spire-server-0"]],
  ["the other, when the first has no pod", { "spire-server-0": down(), "spire-server-1": ok }, ok, PODS],
  ["the other, when the first starts", { "spire-server-0": starting, "spire-server-1": ok }, ok, PODS],
  [
    "nobody else, when the command itself fails",
    { "spire-server-0": { exitCode: 1, stdout: "", stderr: "code = NotFound" } },
    { exitCode: 1, stdout: "", stderr: "code = NotFound" },
    ["spire-server-0"],
  ],
  [
    "none, with the first one's words, when all are away",
    { "spire-server-0": starting, "spire-server-1": down() },
    starting,
    PODS,
  ],
])("it is %s", async (name, pods, outcome, asked) => {
  expect(await run(name, pods)).toEqual({ outcome, asked });
});

test("a refusal is told at once, as it holds for every pod", async () => {
  const refused = fault("aws: the Kubernetes API refuses exec", {});
  expect(await run("refused", { "spire-server-0": refused })).toEqual({ outcome: refused, asked: [PODS[0]] });
});

test("the one that answered last is asked first, by server, until it is away", async () => {
  await run("aws", { "spire-server-0": down(), "spire-server-1": ok });
  expect((await run("aws", { "spire-server-1": ok })).asked).toEqual(["spire-server-1"]);
  expect((await run("gcp", { "spire-server-0": ok })).asked).toEqual(["spire-server-0"]);
  const back = await run("aws", { "spire-server-1": down(), "spire-server-0": ok });
  expect(back).toEqual({ outcome: ok, asked: ["spire-server-1", "spire-server-0"] });
});
