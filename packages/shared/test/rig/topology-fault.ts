/** A fault that takes its time; there is one at a time. Resolves when all is as it was before, with other servers in other roles. */
export interface TopologyFault {
  readonly name: string
  /** The tag clock may come out of it without a hold that stood in it. */
  readonly losesHolds: boolean
  run(): Promise<void>
}
