// A secret that nobody chooses: made once, by this program itself, and kept in the stack's state as a Pulumi secret.
import { randomInt } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";

/** What `RandomText` needs. */
export interface RandomTextArgs {
  /** Number of characters. */
  readonly length: number;
  /** Characters to choose from, each as likely as any other. */
  readonly alphabet: string;
}

/** Letters of ASCII. */
export const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The provider: without a `read`, a refresh keeps what is there. */
export const randomTextProvider: pulumi.dynamic.ResourceProvider<RandomTextArgs, RandomTextArgs> = {
  create({ length, alphabet }) {
    const value = Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("");
    return Promise.resolve({ id: "random", outs: { length, alphabet, value } });
  },
  diff(_id, olds, news) {
    const replaces = (["length", "alphabet"] as const).filter((key) => olds[key] !== news[key]);
    return Promise.resolve({ changes: replaces.length > 0, replaces });
  },
};

/**
 * Random text from the cryptographic generator of Node.js, made when the resource is created, and anew only when its length or its alphabet
 * changes.
 */
export class RandomText extends pulumi.dynamic.Resource {
  /** The text. Secret. */
  declare readonly value: pulumi.Output<string>;

  constructor(name: string, args: RandomTextArgs, opts?: pulumi.CustomResourceOptions) {
    const secret = { additionalSecretOutputs: ["value"] };
    const props = { ...args, value: undefined };
    super(randomTextProvider, name, props, pulumi.mergeOptions(opts, secret), "agentweave", "RandomText");
  }
}
