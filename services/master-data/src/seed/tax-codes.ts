/**
 * Tax codes: the general VAT or GST rates of the countries that the tenants trade with, as of 2026. Seed data for a demonstration: rates
 * change, and which goods a reduced rate covers differs everywhere.
 */
const rates: Record<string, readonly [kind: 'VAT' | 'GST' | 'SALES', standard: number, ...reduced: number[]]> = {
  AE: ['VAT', 5, 0],
  AT: ['VAT', 20, 13, 10],
  AU: ['GST', 10, 0],
  BD: ['VAT', 15, 10, 7.5, 5],
  BE: ['VAT', 21, 12, 6],
  BG: ['VAT', 20, 9],
  CA: ['GST', 5, 0],
  CH: ['VAT', 8.1, 3.8, 2.6],
  CN: ['VAT', 13, 9, 6],
  CY: ['VAT', 19, 9, 5],
  CZ: ['VAT', 21, 12],
  DE: ['VAT', 19, 7],
  DK: ['VAT', 25, 0],
  EE: ['VAT', 24, 13, 9],
  ES: ['VAT', 21, 10, 4],
  FI: ['VAT', 25.5, 13.5, 10],
  FR: ['VAT', 20, 10, 5.5, 2.1],
  GB: ['VAT', 20, 5, 0],
  GR: ['VAT', 24, 13, 6],
  HR: ['VAT', 25, 13, 5],
  HU: ['VAT', 27, 18, 5],
  IE: ['VAT', 23, 13.5, 9, 0],
  IN: ['GST', 18, 5, 0],
  IS: ['VAT', 24, 11],
  IT: ['VAT', 22, 10, 5, 4],
  JP: ['VAT', 10, 8],
  KR: ['VAT', 10, 0],
  LT: ['VAT', 21, 12, 5],
  LU: ['VAT', 17, 14, 8, 3],
  LV: ['VAT', 21, 12, 5],
  MT: ['VAT', 18, 7, 5],
  MX: ['VAT', 16, 0],
  NL: ['VAT', 21, 9],
  NO: ['VAT', 25, 15, 12],
  NZ: ['GST', 15, 0],
  PH: ['VAT', 12, 0],
  PL: ['VAT', 23, 8, 5],
  PT: ['VAT', 23, 13, 6],
  RO: ['VAT', 21, 11],
  SA: ['VAT', 15, 0],
  SE: ['VAT', 25, 12, 6],
  SG: ['GST', 9, 0],
  SI: ['VAT', 22, 9.5, 5],
  SK: ['VAT', 23, 19, 5],
  TH: ['VAT', 7, 0],
  TR: ['VAT', 20, 10, 1],
  // No federal tax on sales: states and counties set it, so the code only says that it is looked up at the point of sale.
  US: ['SALES', 0],
  VN: ['VAT', 10, 5, 0],
  ZA: ['VAT', 15, 0],
}

/** Rows of `tax_codes`: `DE-VAT-19` is Germany's standard rate, and its default. */
export function taxCodes(): Record<string, unknown>[] {
  return Object.entries(rates).flatMap(([country, [kind, ...steps]]) =>
    steps.map((rate, step) => ({
      code: taxCode(country, step),
      country_code: country,
      kind,
      name: `${country} ${kind} ${rate} %${step === 0 ? ' (standard)' : rate === 0 ? ' (zero-rated)' : ' (reduced)'}`,
      rate: rate.toFixed(2),
      is_default: step === 0,
    })),
  )
}

/** Code of a country's rate; step 0 is the standard one, 1 the first reduced. A step that the country lacks is its last one. */
export function taxCode(country: string, step: number): string {
  const entry = rates[country]
  if (entry === undefined) throw new RangeError(`No tax codes for ${country}: add them to seed/tax-codes.ts`)
  const [kind, ...steps] = entry
  return `${country}-${kind}-${steps[Math.min(step, steps.length - 1)]}`
}
