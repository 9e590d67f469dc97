// The provider of secrets that nobody chooses.
import { LETTERS, randomTextProvider as provider } from "../../components/random-text";

const args = { length: 48, alphabet: LETTERS };

test("is as long as was asked, of the alphabet alone, and another one each time", async () => {
  const texts = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const { value } = (await provider.create!(args)).outs as unknown as { value: string };
      expect(value).toMatch(/^[A-Za-z]{48}$/);
      return value;
    }),
  );
  expect(new Set(texts).size).toBe(20);
});

test("is made anew when its length or its alphabet changes, and else stays", async () => {
  const { outs } = await provider.create!(args);
  expect(await provider.diff!("random", outs!, args)).toEqual({ changes: false, replaces: [] });
  expect(await provider.diff!("random", outs!, { ...args, length: 32 })).toMatchObject({
    replaces: ["length"],
  });
  expect(await provider.diff!("random", outs!, { ...args, alphabet: "ab" })).toMatchObject({
    changes: true,
    replaces: ["alphabet"],
  });
});
