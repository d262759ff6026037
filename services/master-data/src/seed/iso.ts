import { getCountryDataList } from 'countries-list'
import { currencies } from 'countries-list/currencies'

/** The world as ISO knows it, from `countries-list`: ISO 3166-1 countries and ISO 4217 currencies. */

/** Codes that the package has beyond the 249 of ISO 3166-1: exceptionally reserved, or assigned by users (Kosovo). */
const NOT_OFFICIAL = new Set(['AC', 'TA', 'XK'])

/** Nobody trades there: no permanent population, or addresses are written with another code (AC and TA with SH). */
const INACTIVE = new Set(['AC', 'AQ', 'BV', 'GS', 'HM', 'IO', 'TA', 'TF', 'UM'])

export function isoCountries(): Record<string, unknown>[] {
  return getCountryDataList().map((country) => ({
    code: country.iso2,
    code3: country.iso3,
    name: country.name,
    native_name: country.native,
    capital: country.capital === '' ? null : country.capital,
    continent: country.continent,
    currency_codes: country.currency,
    calling_codes: country.phone.map((digits) => `+${digits}`),
    is_official: !NOT_OFFICIAL.has(country.iso2),
    is_active: !INACTIVE.has(country.iso2),
  }))
}

export function isoCurrencies(): Record<string, unknown>[] {
  return Object.entries(currencies).map(([code, currency]) => ({
    code,
    numeric_code: currency.numeric,
    name: currency.name,
    symbol: currency.symbol,
    decimals: currency.decimals,
    is_active: currency.withdrawn !== true,
  }))
}
