// Property paths as Pulumi's engine writes them: `spec.ports[0].name`, `metadata.annotations["a.example/b"]`.

/** A step of a path: the name of a property, or the place of a list's item. */
export type Step = string | number;

/** The path in words of the engine (`PropertyPath.String` of its Go SDK). */
export function pathOf(steps: readonly Step[]): string {
  return steps
    .map((step, i) => {
      if (typeof step === "number") return `[${step}]`;
      return /^\w+$/.test(step) ? `${i === 0 ? "" : "."}${step}` : `[${JSON.stringify(step)}]`;
    })
    .join("");
}

/** The steps of a path. `*` stands for every item, or for every property. */
export function stepsOf(path: string): readonly Step[] {
  const steps = path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\[(\*)\]|([^.[\]]+)/g);
  return [...steps].map(([, quoted, place, all, name]) => {
    if (quoted !== undefined) return JSON.parse(`"${quoted}"`) as string;
    return place !== undefined ? Number(place) : (all ?? name)!;
  });
}

/** Whether `path` is `whole`, or a part of it. */
export function isWithin(path: readonly Step[], whole: readonly Step[]): boolean {
  return whole.length <= path.length && whole.every((step, i) => step === "*" || step === path[i]);
}
