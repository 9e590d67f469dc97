// What an agent can be asked to do. A new skill is one file here and one line in the list below.
import { callRemote } from "./call-remote";
import { echo, healthCheck, ping, status } from "./own";
import { relay } from "./relay";
import type { Skill } from "./skill";

const ALL: readonly Skill[] = [ping, healthCheck, status, echo, callRemote, relay];

/** Every skill by its name. */
export const skills: ReadonlyMap<string, Skill> = new Map(ALL.map((skill) => [skill.name, skill]));

/** The skill of messages that name none. */
export const DEFAULT_SKILL = echo.name;
