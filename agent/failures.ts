// What goes wrong with skills, in words that are for the caller. Of other errors it is told nothing.

/** A payload with which a skill cannot be run. */
export class InvalidPayload extends Error {}

/** A skill that has failed. */
export class SkillFailed extends Error {}
