import { Injectable } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import { CachePattern, CacheService } from '@vextrus/shared/cache'
import { Cacheable } from '@vextrus/shared/utils'
import { Repository } from 'typeorm'
import { Category, Supplier } from '../products/product.entities.js'
import { Country, Currency, TaxCode } from './lookup.entities.js'

const DAY = 86_400
const FIVE_MINUTES = 300

/** The keys of lookup data. What all tenants share has no tenant in its key. */
export const lookupKeys = {
  countries: 'countries:all',
  country: (code: string): string => `country:${code}`,
  currencies: 'currencies:all',
  taxCodes: 'tax-codes:all',
  categories: (tenant: string): string => `categories:${tenant}`,
  suppliers: (tenant: string): string => `suppliers:${tenant}`,
}

/** Reads of what forms offer for selection: small lists, read all the time and hardly ever changed. They live for `CachePattern.LOOKUP`. */
@Injectable()
export class LookupQueries {
  constructor(
    private readonly cache: CacheService,
    @InjectRepository(Country) private readonly countryRows: Repository<Country>,
    @InjectRepository(Currency) private readonly currencyRows: Repository<Currency>,
    @InjectRepository(TaxCode) private readonly taxCodeRows: Repository<TaxCode>,
    @InjectRepository(Category) private readonly categoryRows: Repository<Category>,
    @InjectRepository(Supplier) private readonly supplierRows: Repository<Supplier>,
  ) {}

  countries(): Promise<Country[]> {
    return this.cache.getOrSet(lookupKeys.countries, () => this.load.countries(), CachePattern.LOOKUP)
  }

  /** One country, with a lifetime that depends on it: a day when it is active, else 5 minutes. Null: no such code; that is not cached. */
  @Cacheable({
    ttl: (country: Country) => (country.isActive ? DAY : FIVE_MINUTES),
    keyGenerator: (code: string) => lookupKeys.country(code),
  })
  async country(code: string): Promise<Country | null> {
    return this.countryRows.findOneBy({ code })
  }

  currencies(): Promise<Currency[]> {
    return this.cache.getOrSet(lookupKeys.currencies, () => this.load.currencies(), CachePattern.LOOKUP)
  }

  /** Of one country, or all: the list is short enough to be one entry. */
  async taxCodes(country?: string): Promise<TaxCode[]> {
    const all = await this.cache.getOrSet(lookupKeys.taxCodes, () => this.load.taxCodes(), CachePattern.LOOKUP)
    return country === undefined ? all : all.filter(({ countryCode }) => countryCode === country)
  }

  categories(tenantId: string): Promise<Category[]> {
    return this.cache.getOrSet(
      lookupKeys.categories(tenantId),
      () => this.categoryRows.find({ where: { tenantId }, order: { name: 'ASC' } }),
      CachePattern.LOOKUP,
    )
  }

  suppliers(tenantId: string): Promise<Supplier[]> {
    return this.cache.getOrSet(
      lookupKeys.suppliers(tenantId),
      () => this.supplierRows.find({ where: { tenantId }, order: { name: 'ASC', id: 'ASC' } }),
      CachePattern.LOOKUP,
    )
  }

  /** Straight from the database. */
  readonly load = {
    countries: (): Promise<Country[]> => this.countryRows.find({ order: { name: 'ASC' } }),
    currencies: (): Promise<Currency[]> => this.currencyRows.find({ order: { code: 'ASC' } }),
    taxCodes: (): Promise<TaxCode[]> => this.taxCodeRows.find({ order: { countryCode: 'ASC', rate: 'DESC' } }),
  }
}
