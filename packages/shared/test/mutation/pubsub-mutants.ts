import { edit, GROUP_CONSUMER, type Mutant, PUBSUB_STORE_ON_REDIS, REPLAY_SUBSCRIPTION, SCRIPTS } from './mutant.js'

const REPLAY = 'pubsub/replay-subscription.ts'
const GROUP = 'pubsub/group-consumer.ts'

/** Once and in order by a log, at least once in a group, and what is missing is told. */
export const PUBSUB_MUTANTS: readonly Mutant[] = [
  {
    name: 'message handed on, whichever it names before it',
    rule: 'PUB',
    edits: [
      edit(REPLAY, `if (place.previous !== this.after || this.delivery.room <= 0) {`, `if (this.delivery.room <= 0) {`),
    ],
    killer: [REPLAY_SUBSCRIPTION, 'a message that names another before it has the log read'],
  },
  {
    name: 'message handed on live that was read',
    rule: 'PUB',
    edits: [
      edit(REPLAY, `if (place === null || compareIds(place.id, this.after) <= 0) return`, `if (place === null) return`),
    ],
    killer: [REPLAY_SUBSCRIPTION, 'one that was read already is not handed on again'],
  },
  {
    name: 'what came while the log was read forgotten',
    rule: 'PUB',
    edits: [edit(REPLAY, `this.again ||= more || compareIds(this.noted, this.after) > 0`, `this.again ||= more`)],
    killer: [REPLAY_SUBSCRIPTION, 'a full part of the log may not be its end'],
  },
  {
    name: 'full part taken for the end of the log',
    rule: 'PUB',
    edits: [edit(REPLAY, `return messages.length === count`, `return false`)],
    killer: [REPLAY_SUBSCRIPTION, 'a full part of the log may not be its end'],
  },
  {
    name: 'live through a lost connection',
    rule: 'PUB',
    edits: [edit(REPLAY, `  lost(): void {\n    this.live = false\n`, `  lost(): void {\n`)],
    killer: [REPLAY_SUBSCRIPTION, 'after a lost connection it reads what came meanwhile'],
  },
  {
    name: 'connection lost during a read forgotten',
    rule: 'PUB',
    edits: [edit(REPLAY, `    this.again = true\n`, `    this.again = !this.catching\n`)],
    killer: [
      REPLAY_SUBSCRIPTION,
      'after a lost connection it reads what came meanwhile, also when a read was under way',
    ],
  },
  {
    name: 'gap not told',
    rule: 'PUB',
    edits: [edit(REPLAY, `if (gap && this.gapAfter !== after) this.delivery.mark('trimmed')`, ``)],
    killer: [REPLAY_SUBSCRIPTION, 'what is not kept any more is told once, before what comes after it'],
  },
  {
    name: 'log that lost its end waited for',
    rule: 'PUB',
    edits: [
      edit(REPLAY, `if (messages.length === 0 && compareIds(last, after) < 0) this.after = this.gapAfter = last`, ``),
    ],
    killer: [REPLAY_SUBSCRIPTION, 'a log that lost its end, and goes on with smaller ids, is followed'],
  },
  {
    name: 'catching up over a step late',
    rule: 'PUB',
    edits: [edit(REPLAY, `this.catching = false`, `void Promise.resolve().then(() => (this.catching = false))`)],
    killer: [REPLAY_SUBSCRIPTION, 'is caught up with'],
  },
  {
    name: 'claim over a step late',
    rule: 'PUB',
    edits: [edit(GROUP, `this.claims = false`, `void Promise.resolve().then(() => (this.claims = false))`)],
    killer: [GROUP_CONSUMER, 'steps after it was sent, is claimed at once'],
  },
  {
    name: 'done before it is handled',
    rule: 'PUB',
    edits: [
      edit(
        GROUP,
        `    const settledWell = deliveries <= maxDeliveries && (await this.handled(message))`,
        `    await this.done(id)
    const settledWell = deliveries <= maxDeliveries && (await this.handled(message))`,
      ),
    ],
    killer: [GROUP_CONSUMER, 'what fails is left for another time, and put aside when that was the last'],
  },
  {
    name: 'message at work not kept from the others',
    rule: 'PUB',
    edits: [edit(GROUP, `      void this.keep()\n`, ``)],
    killer: [GROUP_CONSUMER, 'what is at work is kept from the others'],
  },
  {
    name: 'done although it could not be put aside',
    rule: 'PUB',
    edits: [
      edit(
        GROUP,
        `        if (!(error instanceof PubSubUnavailableError)) throw error
        return
      }
    }
    await this.done(id)`,
        `        if (!(error instanceof PubSubUnavailableError)) throw error
      }
    }
    await this.done(id)`,
      ),
    ],
    killer: [GROUP_CONSUMER, 'is put aside without another try, and stays where it is while it can’t be'],
  },
  {
    name: 'claimed after the end and begun',
    rule: 'PUB',
    edits: [edit(GROUP, `      if (this.ended) return\n      if (missed)`, `      if (missed)`)],
    killer: [GROUP_CONSUMER, 'what a claim brings after the end is left to others'],
  },
  {
    name: 'messageId taken twice',
    rule: 'PUB',
    edits: [edit(SCRIPTS, `  if known then\n    return { known, 0 }`, `  if false then\n    return { known, 0 }`)],
    killer: [PUBSUB_STORE_ON_REDIS, 'takes a message of one messageId once, from whoever it comes'],
  },
  {
    name: 'message names none before it',
    rule: 'PUB',
    edits: [edit(SCRIPTS, `(last and last[1] or '0-0')`, `'0-0'`)],
    killer: [PUBSUB_STORE_ON_REDIS, 'each of which names the one before'],
  },
  {
    name: 'kept by who has it no more',
    rule: 'PUB',
    edits: [
      edit(
        SCRIPTS,
        `'XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])`,
        `'XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)`,
      ),
    ],
    killer: [PUBSUB_STORE_ON_REDIS, 'leaves a message to who keeps it'],
  },
  {
    name: 'log begun anew while its group is at work, untold',
    rule: 'PUB',
    edits: [
      edit(
        SCRIPTS,
        `if first and reached ~= '$' and reached ~= '0-0' and #redis.call('XRANGE', KEYS[1], '-', reached, 'COUNT', 1) == 0 then`,
        `if false then`,
      ),
    ],
    killer: [
      PUBSUB_STORE_ON_REDIS,
      'says that messages may be gone: before they were handed out, and before they were done',
    ],
  },
]
