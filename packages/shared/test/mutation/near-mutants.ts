import { COHERENT_MAP, edit, type Mutant, TRACKING } from './mutant.js'

/** R17 to R20: the coherent map and what feeds it. */
export const NEAR_MUTANTS: readonly Mutant[] = [
  {
    name: 'no ticket',
    rule: 'R17',
    edits: [edit('kernel/coherent-map.ts', ` && !ticket.dirty`, ``)],
    killer: [COHERENT_MAP, 'does not fill after a push of its key'],
  },
  {
    name: 'tickets before SUBSCRIBE',
    rule: 'R17',
    edits: [
      edit(
        'redis/tracking-handshake.ts',
        `await connection.call('SUBSCRIBE', [INVALIDATIONS]`,
        `void connection.call('SUBSCRIBE', [INVALIDATIONS]`,
      ),
    ],
    killer: [TRACKING, 'sends SUBSCRIBE only after TRACKING was answered'],
  },
  {
    name: 'hits without lease',
    rule: 'R18',
    edits: [edit('kernel/coherent-map.ts', `now - this.source.validFrom() < this.stalenessMs`, `true`)],
    killer: [COHERENT_MAP, 'ends hits exactly when the last proof is as old'],
  },
  {
    name: 'one validFrom',
    rule: 'R18',
    edits: [edit('redis/tracking.ts', `oldest = Math.min(oldest, session.validFrom)`, `oldest = session.validFrom`)],
    killer: [TRACKING, 'leaves everything as fresh as the session with the oldest proof'],
  },
  {
    name: 'proof from the PONG’s arrival',
    rule: 'R18',
    edits: [edit('redis/heartbeat.ts', `this.proven = sentAt`, `this.proven = this.clock.mono()`)],
    killer: [TRACKING, 'proves what was acknowledged before the PING was sent'],
  },
  {
    name: 'no epoch',
    rule: 'R20',
    edits: [edit('kernel/coherent-map.ts', ` && ticket.epoch === this.source.epoch`, ``)],
    killer: [COHERENT_MAP, 'does not fill in another epoch than its own'],
  },
]
