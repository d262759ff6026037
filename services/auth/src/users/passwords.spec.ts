import { scryptSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Passwords } from './passwords.js'

const CHEAP = { ln: 4, r: 8, p: 1 }
const passwords = new Passwords(CHEAP)

describe('a password', () => {
  it('is known again, and no other is taken for it', async () => {
    const hash = await passwords.hash('correct horse')
    expect(await passwords.verify('correct horse', hash)).toBe(true)
    for (const wrong of ['correct hors', 'correct horse ', 'Correct horse', '']) {
      expect(await passwords.verify(wrong, hash)).toBe(false)
    }
  })

  it('is stored as scrypt of RFC 7914, with a salt of its own and the parameters that made it', async () => {
    const [one, other] = [await passwords.hash('secret'), await passwords.hash('secret')]
    expect(one).not.toBe(other)
    const [, name, cost, salt = '', hash = ''] = one.split('$')
    expect([name, cost]).toEqual(['scrypt', 'ln=4,r=8,p=1'])
    const expected = scryptSync('secret', Buffer.from(salt, 'base64'), 32, { N: 16, r: 8, p: 1 })
    expect(Buffer.from(hash, 'base64').equals(expected)).toBe(true)
  })

  it('that was stored with other parameters is known again, and told to be outdated', async () => {
    const hash = await new Passwords({ ln: 5, r: 8, p: 2 }).hash('secret')
    expect(await passwords.verify('secret', hash)).toBe(true)
    expect(passwords.isOutdated(hash)).toBe(true)
    expect(passwords.isOutdated(await passwords.hash('secret'))).toBe(false)
  })

  it('is the same in all forms that Unicode has for it', async () => {
    expect(await passwords.verify('caf\u0065\u0301', await passwords.hash('caf\u00e9'))).toBe(true)
  })

  it('is stored at the cost that OWASP asks for, unless another is said', async () => {
    expect(await new Passwords().hash('secret')).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$/)
  })

  it('of a user who does not exist is hashed all the same, with the same parameters, and is wrong', async () => {
    const slow = new Passwords({ ln: 12, r: 8, p: 1 })
    const stored = await slow.hash('secret')
    const timed = async (hash: string | undefined) => {
      const start = performance.now()
      expect(await slow.verify('wrong', hash)).toBe(false)
      return performance.now() - start
    }
    const known = [await timed(stored), await timed(stored), await timed(stored)]
    const unknown = [await timed(undefined), await timed(undefined), await timed(undefined)]
    // Without a hash to compute it would be microseconds.
    expect(Math.max(...unknown)).toBeGreaterThan(Math.min(...known) / 10)
  })

  it('is refused rather than kept waiting when very many come at once, and those before are answered', async () => {
    const hash = await passwords.hash('secret')
    const all = await Promise.allSettled(Array.from({ length: 50 }, () => passwords.verify('secret', hash)))
    const answered = all.filter(({ status }) => status === 'fulfilled')
    expect(answered.length).toBe(34)
    expect(all.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { status: 503 } })
    expect(await passwords.verify('secret', hash)).toBe(true)
  })

  it('is refused when the service ends while it waits, or comes after that; what is computed is answered', async () => {
    const hash = await passwords.hash('secret')
    const ending = new Passwords(CHEAP)
    const all = Array.from({ length: 5 }, () => ending.verify('secret', hash))
    ending.onModuleDestroy()
    const settled = await Promise.allSettled([...all, ending.verify('secret', hash)])
    expect(settled.map((each) => (each.status === 'fulfilled' ? each.value : (each.reason as Error).message))).toEqual([
      ...[true, true],
      ...Array.from({ length: 4 }, () => 'The service is ending: try again'),
    ])
  })

  it('that was stored in a form nobody knows is an error, and not an open door', async () => {
    await expect(passwords.verify('secret', '$argon2id$x')).rejects.toThrowError(/not of the form/)
    await expect(passwords.verify('', '')).rejects.toThrowError(/not of the form/)
  })
})
