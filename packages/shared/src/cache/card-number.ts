/**
 * Whether a text is the number of a payment card: 13 to 19 digits, spaces and dashes between them allowed, that begin as an issuer's numbers
 * do, are as long as these, and end in the right check digit. A random number of 16 digits passes about once in thirty.
 */
export function isCardNumber(text: string): boolean {
  if (text.length < MIN_DIGITS || text.length > MAX_LENGTH || !DIGITS.test(text)) return false
  const digits = text.replace(/[ -]/g, '')
  return isIssued(digits) && passesLuhn(digits)
}

/** The same of a number. Above 2^53 its last digits may not be those it was written with, so it may be missed. */
export function isCardNumberValue(value: number | bigint): boolean {
  return (
    value >= 1e12 && value < 1e19 && (typeof value === 'bigint' || Number.isInteger(value)) && isCardNumber(`${value}`)
  )
}

const MIN_DIGITS = 13
const MAX_LENGTH = 40
const DIGITS = /^\d[\d -]*\d$/

/**
 * First four digits from, to, and the shortest and longest of such numbers. From Cybersource, "Card Type Identification" (developer.cybersource.com,
 * test data, best practices); UnionPay, and lengths that Cybersource does not name, from Wikipedia, "Payment card number".
 */
const ISSUERS: readonly (readonly [from: number, to: number, shortest: number, longest: number])[] = [
  [4000, 4999, 13, 19], // Visa
  [5100, 5599, 16, 16], // Mastercard
  [2221, 2720, 16, 16], // Mastercard, the 2-series
  [3400, 3499, 15, 15], // American Express
  [3700, 3799, 15, 15],
  [3000, 3059, 14, 19], // Diners Club
  [3095, 3095, 14, 19],
  [3600, 3699, 14, 19],
  [3800, 3999, 14, 19],
  [3528, 3589, 16, 19], // JCB
  [6011, 6011, 16, 19], // Discover
  [6440, 6599, 16, 19],
  [6200, 6299, 16, 19], // UnionPay
  [5000, 5099, 13, 19], // Maestro
  [5600, 6439, 13, 19],
  [6600, 6999, 13, 19],
]

/** Visa uses no length between. */
const VISA_LENGTHS = new Set([13, 16, 19])

function isIssued(digits: string): boolean {
  const { length } = digits
  if (digits.startsWith('4') && !VISA_LENGTHS.has(length)) return false
  const prefix = Number(digits.slice(0, 4))
  return ISSUERS.some(
    ([from, to, shortest, longest]) => prefix >= from && prefix <= to && length >= shortest && length <= longest,
  )
}

/** ISO/IEC 7812-1, annex B: every second digit from the right is doubled, the digits of all are summed, ten divides the sum. */
function passesLuhn(digits: string): boolean {
  let sum = 0
  for (let i = digits.length - 1, doubled = false; i >= 0; i--, doubled = !doubled) {
    const digit = Number(digits[i])
    const twice = digit * 2
    sum += doubled ? (twice > 9 ? twice - 9 : twice) : digit
  }
  return sum % 10 === 0
}
