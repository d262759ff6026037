import { describe, expect, it } from 'vitest'
import { isCardNumber, isCardNumberValue } from './card-number.js'

/** Appends the check digit. */
function checked(digits: string): string {
  const sum = [...digits].reverse().reduce((total, digit, i) => {
    const twice = Number(digit) * 2
    return total + (i % 2 === 1 ? Number(digit) : twice > 9 ? twice - 9 : twice)
  }, 0)
  return digits + ((10 - (sum % 10)) % 10)
}

describe('a card number', () => {
  // The issuers' and payment providers' published test numbers, and numbers made with the right check digit.
  it.each([
    ['Visa', '4111111111111111'],
    ['Visa', '4242 4242 4242 4242'],
    ['Visa of 13', '4222222222222'],
    ['Visa of 19', checked('411111111111111111')],
    ['Mastercard', '5555-5555-5555-4444'],
    ['Mastercard, 2-series', '2223003122003222'],
    ['Mastercard, first of the 2-series', checked('222100000000000')],
    ['Mastercard, last of the 2-series', checked('272099999999999')],
    ['American Express', '378282246310005'],
    ['American Express', '3400 000000 00009'],
    ['Discover', '6011111111111117'],
    ['Discover', checked('650000000000000')],
    ['Diners Club', '30569309025904'],
    ['Diners Club', '36227206271667'],
    ['Diners Club', '38520000023237'],
    ['JCB', '3530111333300000'],
    ['Maestro', '6759649826438453'],
    ['Maestro of 13', checked('501800000000')],
    ['UnionPay', '6200000000000005'],
    ['UnionPay of 19', checked('620000000000000000')],
  ])('of %s is known: %s', (_issuer, number) => {
    expect(isCardNumber(number)).toBe(true)
    const digits = number.replace(/\D/g, '')
    expect(isCardNumber(digits.slice(0, -1) + ((Number(digits.at(-1)) + 1) % 10))).toBe(false)
    if (digits.length < 16) expect(isCardNumberValue(Number(digits))).toBe(true)
    expect(isCardNumberValue(BigInt(digits))).toBe(true)
  })

  it.each([
    ['of no issuer', checked('100000000000000')],
    ['of no issuer', checked('272100000000000')],
    ['of no issuer', checked('222000000000000')],
    ['of no issuer', '0000000000000000'],
    ['of no issuer: a moment in ms', checked('170000000000')],
    ['Visa of 14', checked('4000000000000')],
    ['Visa of 17', checked('4000000000000000')],
    ['Mastercard of 15', checked('51000000000000')],
    ['American Express of 16', checked('340000000000000')],
    ['of 12', checked('50180000000')],
    ['of 20', checked('4111111111111111111')],
    ['with letters', '4111a11111111111'],
    ['masked', '411111******1111'],
    ['masked', '**** **** **** 1111'],
    ['with something around it', 'x4111111111111111'],
    ['a UUID', '41111111-1111-4111-8111-111111111111'],
    ['empty', ''],
  ])('is not one %s: %s', (_why, text) => {
    expect(isCardNumber(text)).toBe(false)
  })

  it.each([0, -4111111111111111, 4.5, 4111111111111111.5 / 10, Number.NaN, Number.POSITIVE_INFINITY, 1e300, 5n])(
    'is not the number %s',
    (value) => {
      expect(isCardNumberValue(value)).toBe(false)
    },
  )
})
