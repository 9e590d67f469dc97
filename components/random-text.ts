// A secret that nobody chooses: a resource, whose create, read, update and delete are in random-text-provider.ts.
import * as pulumi from "@pulumi/pulumi";
import { DynamicResource } from "./dynamic-resource";

/** What `RandomText` needs. */
export interface RandomTextArgs {
  /** Number of characters. */
  readonly length: number;
  /** Characters to choose from, each as likely as any other. */
  readonly alphabet: string;
}

/** Letters of ASCII. */
export const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * Random text from the cryptographic generator of Node.js, made when the resource is created, and anew only when its length or its alphabet
 * changes.
 */
export class RandomText extends DynamicResource {
  /** A secret, in the state too. */
  declare readonly value: pulumi.Output<string>;

  constructor(name: string, { length, alphabet }: RandomTextArgs, opts?: pulumi.CustomResourceOptions) {
    super("RandomText", name, { length, alphabet, value: undefined }, ["value"], opts);
  }
}
