// The provider of secrets that nobody chooses.
import { LETTERS, RandomText } from "../../components/random-text";
import { randomTextProvider as provider } from "../../components/random-text-provider";
import { record, valueOf } from "../../infra/plan/recorder";

const args = { length: 48, alphabet: LETTERS };

test("is as long as was asked, of the alphabet alone, and another one each time", async () => {
  const texts = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const { id, outs } = await provider.create(args);
      expect(outs.value).toMatch(/^[A-Za-z]{48}$/);
      expect(id).not.toContain(outs.value);
      return outs.value;
    }),
  );
  expect(new Set(texts).size).toBe(20);
});

test("is made anew when its length or its alphabet changes, and else stays", async () => {
  const { id, outs } = await provider.create(args);
  expect(await provider.diff(id, outs, args)).toEqual({ changes: false, replaces: [] });
  expect(await provider.diff(id, outs, { ...args, length: 32 })).toMatchObject({ replaces: ["length"] });
  expect(await provider.diff(id, outs, { ...args, alphabet: "ab" })).toMatchObject({
    changes: true,
    replaces: ["alphabet"],
  });
});

test("stays when it is read anew, and when its provider is found elsewhere", async () => {
  const { id, outs } = await provider.create(args);
  expect(await provider.read(id, outs)).toEqual({ id, props: outs });
  const moved = { ...args, __provider: "elsewhere" };
  expect(await provider.diff(id, outs, moved)).toEqual({ changes: true, replaces: [] });
  expect((await provider.update(id, outs, moved)).outs).toEqual({ ...outs, __provider: "elsewhere" });
});

test("is refused where it would be none", async () => {
  const { failures } = await provider.check(args, { length: 0, alphabet: "a" });
  expect(failures.map(({ property }) => property)).toEqual(["length", "alphabet"]);
});

test("is a secret in the state", async () => {
  const [text, made] = await record(() => new RandomText("text", args), {
    outputs: { "pulumi-nodejs:dynamic/agentweave:RandomText": { value: "s3cret" } },
  });
  expect(await valueOf(text.value)).toBe("s3cret");
  expect(made.one("pulumi-nodejs:dynamic/agentweave:RandomText").secretOutputs).toEqual(["value"]);
});
