/** What a running service knows of itself. */
export class ServiceFacts {
  constructor(
    readonly name: string,
    /** Where its cache is, for a person to read: `Redis at localhost:6379`, `memory, …`. */
    readonly cachePlace: string,
  ) {}
}
