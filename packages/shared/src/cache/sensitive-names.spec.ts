import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CARD, NUMBER, SECRET, SensitiveNames, wordsOf } from './sensitive-names.js'

describe('a name', () => {
  it.each([
    ['apiToken', 'api token'],
    ['APIToken', 'api token'],
    ['api_token', 'api token'],
    ['X-Api.Token', 'x api token'],
    ['cardCVV2', 'card cvv2'],
    ['oauth2Token', 'oauth2 token'],
    ['  a  b ', 'a b'],
    ['müşteriŞifre', 'müşteri şifre'],
    ['--', ''],
  ])('%j has the words %j', (name, words) => {
    expect(wordsOf(name)).toBe(words)
  })

  it.each([
    ['pin', SECRET],
    ['pan', SECRET | CARD],
    ['cardToken', SECRET | CARD],
    ['creditCard', CARD],
    ['number', NUMBER],
    ['name', 0],
  ])('%j has the traits %i', (name, traits) => {
    expect(new SensitiveNames([], []).traits(name)).toBe(traits)
  })

  it('is read the same by the quick look that most names stop at', () => {
    const plain = new SensitiveNames([], [])
    // With a field of its own every name is read in full.
    const full = new SensitiveNames(['quux'], [])
    const word = fc.oneof(
      fc.constantFrom(
        'password',
        'passwd',
        'Secret',
        'TOKEN',
        'cvv',
        'Cvc',
        'pin',
        'PAN',
        'hash',
        'Hash',
        'page',
        'Csrf',
        'cursor',
      ),
      fc.constantFrom(
        'card',
        'Cards',
        'credit',
        'Debit',
        'bank',
        'number',
        'Num',
        'no',
        'nr',
        'digits',
        'Value',
        '2',
        '_',
        '-',
        '',
      ),
      fc.string({ maxLength: 3 }),
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 4 }), (words) => {
        const name = words.join('')
        fc.pre(!name.includes('quux'))
        expect(plain.traits(name)).toBe(full.traits(name))
      }),
      { numRuns: 2_000 },
    )
  })
})
