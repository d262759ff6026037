import { describe, expect, it } from 'vitest'
import { SensitiveDataError } from './errors.js'
import { placeOf, SensitiveData, type SensitiveOptions } from './sensitive.js'

const VISA = '4111111111111111'
const find = (value: unknown, options?: SensitiveOptions): string | null => new SensitiveData(options).find(value)

describe('a sensitive field', () => {
  it.each([
    ['password', 'x'],
    ['Password', 'x'],
    ['PASSWORD', 'x'],
    ['password2', 'x'],
    ['userPassword', 'x'],
    ['user_password', 'x'],
    ['USER_PASSWORD', 'x'],
    ['userpassword', 'x'],
    ['dbPasswd', 'x'],
    ['passwordHash', '$2b$10$abc'],
    ['password_hash', '$2b$10$abc'],
    ['PASSWORD-HASH', '$2b$10$abc'],
    ['passwordhash', '$2b$10$abc'],
    ['secret', 'x'],
    ['clientSecret', 'x'],
    ['client_secret', 'x'],
    ['clientsecret', 'x'],
    ['2faSecret', 'x'],
    ['tokenHash', 'x'],
    ['token', 'x'],
    ['apiToken', 'x'],
    ['api_token', 'x'],
    ['API-TOKEN', 'x'],
    ['APIToken', 'x'],
    ['api.token', 'x'],
    ['X-Auth-Token', 'x'],
    ['accessToken', 'x'],
    ['accesstoken', 'x'],
    ['refresh token', 'x'],
    ['xsrfToken', 'x'],
    ['pagerToken', 'x'],
    ['homepageSecret', 'x'],
    ['oauth2Token', 'x'],
    ['cvv', '123'],
    ['cardCVV2', '123'],
    ['card_cvc', '123'],
    ['pin', '1234'],
    ['accessPin', '1234'],
    ['userPIN', '1234'],
    ['pin_hash', 'x'],
    ['pan', 'ABCDE1234F'],
    ['card-PAN', VISA],
    ['token', Buffer.from('x')],
    ['secret', new Uint8Array([1])],
    ['secret', Object('boxed')],
    ['password', ['', 'x']],
    ['token', new Set(['x'])],
    ['cardNumber', VISA],
    ['card_number', '4111 1111 1111 1111'],
    ['cardnumber', '4111-1111-1111-1111'],
    ['card', VISA],
    ['cards', ['4000', VISA]],
    ['creditCard', VISA],
    ['creditcard', VISA],
    ['credit', VISA],
    ['panNumber', VISA],
    ['cardNumber', Number(VISA)],
    ['cardNumber', BigInt(VISA)],
    ['pan', Number(VISA)],
    ['corporateCardReference', '378282246310005'],
    ['card', { number: VISA }],
    ['paymentCards', [{ exp: '12/30', number: VISA }]],
    ['card', new Map([['number', VISA]])],
  ])('is %s with %o', (name, value) => {
    expect(find({ ok: 1, [name]: value })).toMatch(/^\$(\.|\[")/)
  })

  it.each([
    ['shipping', 'air'],
    ['pinned', 'yes'],
    ['spin', 'up'],
    ['japan', 'Tokyo'],
    ['expand', 'all'],
    ['company', 'ACME'],
    ['companyId', VISA],
    ['secretary', 'Rahim'],
    ['secretaryName', 'Rahim'],
    ['tokenCount', '12'],
    ['tokenType', 'Bearer'],
    ['tokens', 'a lot'],
    ['passwordChangedAt', '2026-01-01'],
    ['passwordPolicy', 'strong'],
    ['pinCode', '560001'],
    ['pinnedAt', '2026-01-01'],
    ['mapping', 'x'],
    ['topping', 'x'],
    ['timespan', '3 days'],
    ['panel', 'left'],
    ['lifespan', '3 years'],
    ['cardinality', VISA],
    ['discardedBy', VISA],
    ['cardboard', VISA],
    ['accreditation', VISA],
    ['wildcard', '*'],
    ['spinToken1Count', 'x'],
    ['pageToken', 'x'],
    ['nextPageToken', 'x'],
    ['next_page_token', 'x'],
    ['cursorToken', 'x'],
    ['csrfToken', 'x'],
    ['X-CSRF-Token', 'x'],
    ['hasPassword', true],
    ['password', null],
    ['password', undefined],
    ['password', ''],
    ['password', {}],
    ['password', []],
    ['password', Buffer.alloc(0)],
    ['password', new Date(0)],
    ['pin', 1234],
    ['token', 0],
    ['secret', false],
    ['phone', '+880 1711-000000'],
    ['cardPhone', '+8801711000000'],
    ['creditLimit', 500_000],
    ['creditNote', 'CN-2026-0001'],
    ['creditDays', 30],
    ['creditedAt', 1_790_000_000_000],
    ['creditAccount', '1234567890123456'],
    ['panNumber', 'ABCDE1234F'],
    ['cardId', '7d1f1c0e-7a51-4a3e-9a3e-1a2b3c4d5e6f'],
    ['cardNumber', '**** **** **** 1111'],
    ['cardNumber', '4111111111111112'],
    ['cardLast4', '1111'],
    ['cardType', 'visa'],
    ['id', VISA],
    ['number', VISA],
    ['invoice', { number: VISA }],
    ['orderNumber', Number(VISA)],
    ['barcode', '5901234123457'],
    ['hash', 'abc'],
    ['contentHash', 'abc'],
    ['', 'x'],
    ['__', 'x'],
    ['şifre', 'x'],
  ])('is not %s with %o', (name, value) => {
    expect(find({ ok: 1, [name]: value })).toBeNull()
  })

  it('is found wherever it is stored, and its path told', () => {
    class Account {
      readonly owner = { login: { password: 'x' } }
    }
    expect(find({ a: [1, { b: { token: 'x' } }] })).toBe('$.a[1].b.token')
    expect(find([[], [{ 'api-token': 'x' }]])).toBe('$[1][0]["api-token"]')
    expect(find(new Account())).toBe('$.owner.login.password')
    expect(find([{ id: 1 }, new Account()])).toBe('$[1].owner.login.password')
    expect(find(Object.assign(Object.create(null), { secret: 'x' }))).toBe('$.secret')
    expect(
      find(
        new Map<unknown, unknown>([
          [1, 2],
          ['password', 'x'],
        ]),
      ),
    ).toBe('$.password')
    expect(find(new Map([[{ pin: '1' }, 2]]))).toBe('$[0].pin')
    expect(find(new Map([[7, { pin: '1' }]]))).toBe('$[0].pin')
    expect(find({ all: new Set([1, { cvv: '123' }]) })).toBe('$.all[1].cvv')
    expect(find({ cards: [{}, { number: VISA }] })).toBe('$.cards[1].number')
    expect(find({ token: ['', 'x'] })).toBe('$.token[1]')
    expect(find([undefined, { pan: 'x' }])).toBe('$[1].pan')
  })

  it('is what would be stored, not what stays behind', () => {
    class User {
      constructor(
        private readonly shown: unknown,
        readonly password = 'x',
      ) {}
      toJSON(): unknown {
        return this.shown
      }
    }
    class Hiding {
      readonly id = 1
      readonly #password = 'x'
      get password(): string {
        return this.#password
      }
    }
    expect(find({ user: new User({ id: 1 }) })).toBeNull()
    expect(find({ user: new User({ id: 1, pin: '1234' }) })).toBe('$.user.pin')
    expect(find({ token: new User('text') })).toBe('$.token')
    expect(find({ user: new User(null) })).toBeNull()
    expect(find({ user: new User(new User(1)) })).toBe('$.user.password')
    expect(find(new Hiding())).toBeNull()
    expect(find(Object.create({ password: 'inherited' }))).toBeNull()
    expect(find(Object.defineProperty({}, 'password', { value: 'x', enumerable: false }))).toBeNull()
    expect(find({ [Symbol('password')]: 'x' })).toBeNull()
  })

  it('reads a getter once', () => {
    let reads = 0
    const value = Object.defineProperty({}, 'password', { enumerable: true, get: () => `${++reads}` })
    expect(find(value)).toBe('$.password')
    expect(reads).toBe(1)
  })

  it('ends at cycles, and sees what stands beside them', () => {
    const parent: Record<string, unknown> = { children: [] }
    for (let i = 0; i < 50; i++) (parent.children as unknown[]).push({ parent, siblings: parent.children })
    expect(find(parent)).toBeNull()
    parent.token = 'x'
    expect(find(parent)).toBe('$.token')
    const map = new Map<string, unknown>()
    map.set('self', map).set('pin', '1')
    expect(find(map)).toBe('$.pin')
  })

  it('is found in both places of an object that is reachable twice', () => {
    const shared = { number: VISA }
    expect(find({ invoice: shared, card: shared })).toBe('$.card.number')
  })

  it.each([null, undefined, 0, '', 'password', true, 12n, Symbol('x'), VISA, new Date(), Buffer.from('x'), () => 'x'])(
    'is not in the plain value %s',
    (value) => {
      expect(find(value)).toBeNull()
    },
  )

  it('is told apart from others after any number of names', () => {
    const guard = new SensitiveData()
    for (let round = 0; round < 3; round++) {
      const names = Array.from({ length: 3_000 }, (_, i) => [`key${round}-${i}`, 'x'])
      expect(guard.find(Object.fromEntries(names))).toBeNull()
      expect(guard.find({ apiToken: 'x' })).toBe('$.apiToken')
      expect(guard.find({ [`${'long'.repeat(50)}Token`]: 'x' })).not.toBeNull()
    }
  })
})

describe('the options', () => {
  it('add names, where a name ends in them', () => {
    const fields = ['iban', 'apiKey', 'national_id']
    for (const name of [
      'iban',
      'customerIban',
      'IBAN',
      'iban2',
      'iban_hash',
      'stripeApiKey',
      'API_KEY',
      'nationalId',
    ]) {
      expect(find({ [name]: 'x' }, { fields })).not.toBeNull()
    }
    for (const name of ['ibanCountry', 'librarian', 'key', 'id', 'nationalIdType', 'international_id']) {
      expect(find({ [name]: 'x' }, { fields })).toBeNull()
    }
    expect(find({ password: 'x' }, { fields })).toBe('$.password')
  })

  it('allow names, whole', () => {
    const allow = ['resetToken', 'gift_card', 'pin']
    for (const field of [{ reset_token: 'x' }, { ResetToken: 'x' }, { pin: '1' }, { giftCard: VISA }]) {
      expect(find(field, { allow })).toBeNull()
    }
    for (const field of [{ token: 'x' }, { userResetToken: 'x' }, { userPin: '1' }, { card: VISA }]) {
      expect(find(field, { allow })).not.toBeNull()
    }
    expect(find({ iban: 'x' }, { fields: ['iban'], allow: ['iban'] })).toBeNull()
  })

  it('turn it off', () => {
    const value = { users: [{ password: 'hunter2' }] }
    expect(find(value, { action: 'off' })).toBeNull()
    expect(find(value, { action: 'skip' })).toBe('$.users[0].password')
    expect([new SensitiveData().action, new SensitiveData({ action: 'skip' }).action]).toEqual(['reject', 'skip'])
  })

  it.each([
    [{ action: 'warn' }, 'sensitive.action'],
    [{ fields: 'iban' }, 'sensitive.fields'],
    [{ fields: ['--'] }, 'sensitive.fields'],
    [{ allow: [''] }, 'sensitive.allow'],
    [{ allow: [1] }, 'sensitive.allow'],
  ])('are refused: %j', (options, option) => {
    expect(() => new SensitiveData(options as SensitiveOptions)).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION', option }),
    )
  })
})

describe('what was found', () => {
  it('is told by its path and never by its value', () => {
    const error = new SensitiveDataError(find({ users: [{ password: 'hunter2' }] })!, 'users')
    expect(error).toMatchObject({ code: 'SENSITIVE_DATA', path: '$.users[0].password', key: 'users' })
    expect(String(error)).not.toContain('hunter2')
  })

  it('is at one place in all rows of a list', () => {
    expect(placeOf('$.users[3].pins[12]')).toBe('$.users[].pins[]')
    expect(placeOf('$["a[b"].pin')).toBe('$["a[b"].pin')
  })
})

describe("what can't be looked at", () => {
  it("is refused as what can't be encoded is", () => {
    const failing = {
      toJSON: () => {
        throw new TypeError('lazy relation')
      },
    }
    const refused = (path: string): unknown =>
      expect.objectContaining({
        code: 'SERIALIZATION',
        path,
        cause: expect.objectContaining({ message: 'lazy relation' }),
      })
    expect(() => find(failing)).toThrow(refused('$'))
    expect(() => find({ lines: [1, { order: failing }] })).toThrow(refused('$.lines[1].order'))
    expect(() => find([failing])).toThrow(refused('$[0]'))
    let deep: object = {}
    for (let i = 0; i < 100_000; i++) deep = { deep }
    expect(() => find(deep)).toThrow(expect.objectContaining({ code: 'SERIALIZATION' }))
  })
})
