import { edit, JWT_BLACKLIST, JWT_STORE_ON_REDIS, type Mutant, REFRESH_FAMILIES, SCRIPTS } from './mutant.js'

const BLACKLIST = 'jwt/jwt-blacklist.ts'
const KNOWN = 'jwt/known-tokens.ts'
const QUESTIONS = 'jwt/questions.ts'

/** A token that is revoked is accepted by nobody, and a stolen refresh token ends its family. */
export const JWT_MUTANTS: readonly Mutant[] = [
  {
    name: 'check kept without its ticket',
    rule: 'R17',
    edits: [
      edit(BLACKLIST, `near?.put(mark, { value }, tickets[i]!, `, `near?.put(mark, { value }, near.ticket(mark), `),
    ],
    killer: [JWT_BLACKLIST, 'never keeps “not revoked” when the revocation came while it asked (R17)'],
  },
  {
    name: 'own revocation forgotten when it is sent alone',
    rule: 'R17',
    edits: [
      edit(
        'jwt/own-write.ts',
        `    return await run()\n  } finally {\n    forget()\n`,
        `    return await run()\n  } finally {\n`,
      ),
    ],
    killer: [JWT_BLACKLIST, 'never keeps “not revoked” from while an own revocation was on its way'],
  },
  {
    name: 'own end of a family heard of by its push alone',
    rule: 'R17',
    edits: [
      edit('jwt/refresh-families.ts', `return ownWrite(() => this.wrote(familyMark(family)), run)`, `return run()`),
    ],
    killer: [JWT_BLACKLIST, 'knows at once of a family that was ended in this process'],
  },
  {
    name: 'redirected check kept',
    rule: 'R20',
    edits: [edit(BLACKLIST, `if (redirected !== true) near`, `near`)],
    killer: [JWT_BLACKLIST, 'of what was redirected (R20)'],
  },
  {
    name: 'known token asked about no more',
    rule: 'JWT',
    edits: [edit(KNOWN, `isSame && this.near.holds(standing, now)`, `isSame`)],
    killer: [JWT_BLACKLIST, 'of a token that is known hears of a revocation by its user'],
  },
  {
    name: 'token known by its jti alone',
    rule: 'JWT',
    edits: [
      edit(KNOWN, `return isSame && `, `return `),
      edit(KNOWN, `const isSame =`, `void (`),
      edit(KNOWN, `token === asked.token`, `token === asked.token)`),
    ],
    killer: [JWT_BLACKLIST, 'takes no token for another that is known under its `jti`'],
  },
  {
    name: 'second of the log-out spared',
    rule: 'JWT',
    edits: [edit(QUESTIONS, `Math.floor(iat) > Number(value)`, `Math.floor(iat) >= Number(value)`)],
    killer: [JWT_BLACKLIST, 'are refused, the second of the time included, and the next is not'],
  },
  {
    name: 'unanswered check lets pass',
    rule: 'JWT',
    edits: [
      edit(
        BLACKLIST,
        `|| onUnavailable === 'throw') throw error\n      return onUnavailable === 'deny'`,
        `) throw error\n      return onUnavailable === 'deny'`,
      ),
    ],
    killer: [JWT_BLACKLIST, 'a check rejects, and is never answered from what is not proven fresh'],
  },
  {
    name: 'odd id taken for none',
    rule: 'JWT',
    edits: [edit(QUESTIONS, `return id === undefined && !isAbsent(claim)`, `return false`)],
    killer: [JWT_BLACKLIST, 'is refused, and nobody is asked'],
  },
  {
    name: 'token known by its signature too',
    rule: 'JWT',
    edits: [edit('jwt/token-marks.ts', `isSigned ? jwt.slice(0, jwt.lastIndexOf('.')) : jwt`, `isSigned ? jwt : jwt`)],
    killer: [JWT_BLACKLIST, 'is refused with another text of the same signature'],
  },
  {
    name: 'mark shortened',
    rule: 'JWT',
    edits: [edit(SCRIPTS, `if ends <= now or ends <= redis.call('PEXPIRETIME', KEYS[1]) then`, `if ends <= now then`)],
    killer: [JWT_STORE_ON_REDIS, 'is never shortened, and may be prolonged'],
  },
  {
    name: 'second of a log-out goes back',
    rule: 'JWT',
    edits: [edit(SCRIPTS, `if known and tonumber(known) > second then`, `if false then`)],
    killer: [JWT_STORE_ON_REDIS, 'never goes back'],
  },
  {
    name: 'token that was replaced refused alone',
    rule: 'JWT',
    edits: [
      edit(
        SCRIPTS,
        `redis.call('SET', KEYS[2], '1', 'PX', ARGV[4])
redis.call('DEL', KEYS[1])
redis.pcall('PUBLISH', ARGV[1], KEYS[2])
return { 'reused', '' }`,
        `return { 'reused', '' }`,
      ),
    ],
    killer: [JWT_STORE_ON_REDIS, 'ends when the token before comes after the grace'],
  },
  {
    name: 'token that was replaced refused alone, in memory',
    rule: 'JWT',
    edits: [edit('jwt/stores/memory.ts', `    await this.end(family, ttlMs)\n`, ``)],
    killer: [REFRESH_FAMILIES, 'ends when a token that was replaced is presented'],
  },
  {
    name: 'token before answered for ever',
    rule: 'JWT',
    edits: [
      edit(
        SCRIPTS,
        `if before == ARGV[2] and math.abs(now - at) <= tonumber(ARGV[5]) then`,
        `if before == ARGV[2] then`,
      ),
    ],
    killer: [JWT_STORE_ON_REDIS, 'ends when the token before comes after the grace'],
  },
  {
    name: 'family that has ended begins again',
    rule: 'JWT',
    edits: [edit(SCRIPTS, `if redis.call('EXISTS', KEYS[2]) == 1 then\n  return { 'revoked', '' }\nend\n`, ``)],
    killer: [JWT_STORE_ON_REDIS, 'that was ended hands on nothing, and can’t begin again'],
  },
]
