import {
  edit,
  inShared,
  type Mutant,
  SCRIPTS,
  SESSION,
  SESSION_ID,
  SESSION_STORE_MEMORY,
  SESSION_STORE_ON_REDIS,
  SESSIONS_IN_MEMORY,
} from './mutant.js'

const SERVICE = 'session/session.ts'
const MEMORY = 'session/stores/memory.ts'

const inSession = inShared('session/lua/include/session.lua')
const FOUND = `local key, hash = find(ARGV[1], ARGV[2])\n`
const FOUND_AND_TOUCHED = `${FOUND}if not key or not touch(key) then\n  return false\nend\n`
const DESTROY = `${FOUND}if key then`
const READ = `${FOUND_AND_TOUCHED}return reply`
const CREATE = `local prefix, user = ARGV[1], ARGV[3]`

/** Nothing is lost, nothing comes back, and no id opens what it was not given for. */
export const SESSION_MUTANTS: readonly Mutant[] = [
  {
    name: 'session destroyed without a tombstone',
    rule: 'SESS',
    edits: [inSession(DESTROY, `redis.call('HSET', key, 'x', '1')`, ``)],
    killer: [SESSION_STORE_ON_REDIS, 'ends it for everybody, and for writers that are under way'],
  },
  {
    name: 'session put over a tombstone',
    rule: 'SESS',
    edits: [edit(SCRIPTS, `elseif redis.call('EXISTS', KEYS[1]) == 1 then`, `elseif false then`)],
    killer: [SESSION_STORE_ON_REDIS, 'ends it for everybody, and for writers that are under way'],
  },
  {
    name: 'session put over a tombstone, in memory',
    rule: 'SESS',
    edits: [edit(MEMORY, `before === undefined ? this.at(given.hash) !== undefined : !inPlace`, `before && !inPlace`)],
    killer: [SESSION_STORE_MEMORY, 'ends it for everybody, and for writers that are under way'],
  },
  {
    name: 'session written without its version',
    rule: 'SESS',
    edits: [edit(SCRIPTS, `if redis.call('HGET', key, 'v') ~= ARGV[3] then`, `if false then`)],
    killer: [SESSION_STORE_ON_REDIS, 'is written by one of those who know the same version'],
  },
  {
    name: 'change that another was faster than taken for made',
    rule: 'SESS',
    edits: [edit(SERVICE, `if (after !== 'changed') return`, `return`)],
    killer: [SESSION, 'is made again when another was faster, on what that one left'],
  },
  {
    name: 'session read beyond its absolute end',
    rule: 'SESS',
    edits: [inSession(READ, `math.min(tonumber(idle), tonumber(ends) - now)`, `tonumber(idle)`)],
    killer: [SESSION_STORE_ON_REDIS, 'its idle time begins anew, and its absolute one does not'],
  },
  {
    name: 'id before leads on when its grace is over',
    rule: 'SESS',
    edits: [inSession(READ, `if tonumber(grace) <= now then`, `if false then`)],
    killer: [SESSION_STORE_ON_REDIS, 'closes the id before when the grace is over'],
  },
  {
    name: 'each id before keeps its own grace',
    rule: 'SESS',
    edits: [inSession(READ, `until_ = math.min(passed[i][2], until_ or passed[i + 1][2])`, `until_ = passed[i][2]`)],
    killer: [SESSION_STORE_ON_REDIS, 'leads no longer to a session than the shortest grace on the way'],
  },
  {
    name: 'log-out by an id before leaves that id',
    rule: 'SESS',
    edits: [
      edit(
        SCRIPTS,
        `if hash ~= ARGV[2] and (redis.call('EXISTS', KEYS[1]) == 1 or tonumber(ARGV[3]) > 0) then`,
        `if false then`,
      ),
    ],
    killer: [SESSION_STORE_ON_REDIS, 'leaves one where nothing is known for as long as it is told to'],
  },
  {
    name: 'newest session ended beyond the most',
    rule: 'SESS',
    edits: [
      edit(SCRIPTS, `      elseif other ~= hash then`, `      else`),
      inSession(CREATE, `text(born), hash)`, `'0', hash)`),
    ],
    killer: [SESSION_STORE_ON_REDIS, 'ends the oldest beyond `maxPerUser`, never the new one'],
  },
  {
    name: 'the one that is spared known by its id of now alone',
    rule: 'SESS',
    edits: [edit(MEMORY, `(this.space.find(exceptHash)?.session.hash ?? exceptHash)`, `exceptHash`)],
    killer: [SESSION_STORE_MEMORY, 'spares one, also when it is named by its id before'],
  },
  {
    name: 'any handle ends a session, whoever asks',
    rule: 'SESS',
    edits: [edit(SERVICE, `known.userId === userId && this.end(ref)`, `this.end(ref)`)],
    killer: [SESSIONS_IN_MEMORY, 'devices are listed by what may be shown, and one of them is ended by its handle'],
  },
  {
    name: 'session of a visitor taken for one of ours',
    rule: 'SESS',
    edits: [edit(SERVICE, `return userId === ''`, `return userId === null`)],
    killer: [SESSION, 'is none of ours: its id, brought as one, opens nothing and changes nothing'],
  },
  {
    name: 'ids stored as they are',
    rule: 'SESS',
    edits: [edit('session/session-id.ts', `hash('sha256', id, 'base64url')`, `id.slice(0, 43)`)],
    killer: [SESSION_ID, 'leads to its home and to its hash, which says nothing of it'],
  },
]
