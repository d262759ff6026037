import { Injectable } from '@nestjs/common'
import { InjectDataSource } from '@nestjs/typeorm'
import { FencedWrites, StaleWriterError } from '@vextrus/service-kit'
import { RedisLockService } from '@vextrus/shared/lock'
import { DataSource, type EntityManager } from 'typeorm'

/** Takes the next numbers of the tenant, for rows that the same transaction writes. */
export type TakeNumbers = (count: number) => Promise<string[]>

/**
 * The numbers of a tenant's invoices: 1, 2, 3 … without a gap and without a double, whatever dies when.
 *
 * A number is taken and given to its invoice in one transaction: one that fails has used none. Who may take one is decided twice, by the lock
 * `lock:invoice-number:<tenant>` and by its fence, which the counter's row checks (`FencedWrites` of the kit).
 */
@Injectable()
export class InvoiceNumbers {
  private readonly writes: FencedWrites

  constructor(@InjectDataSource() dataSource: DataSource, locks: RedisLockService) {
    this.writes = new FencedWrites(dataSource, locks)
  }

  /**
   * The next number, for what `write` does with it in the same transaction.
   * @throws StaleWriterError, LockTimeoutError, LockUnavailableError, and what `write` throws; then no number was used
   */
  generateInvoiceNumber(
    tenantId: string,
    write: (transaction: EntityManager, number: string) => Promise<unknown>,
  ): Promise<string> {
    return this.numbering(tenantId, async (transaction, take) => {
      const [number = ''] = await take(1)
      await write(transaction, number)
      return number
    })
  }

  /** A transaction that may take numbers, once it knows how many it needs. @throws as {@link generateInvoiceNumber} */
  numbering<T>(tenantId: string, work: (transaction: EntityManager, take: TakeNumbers) => Promise<T>): Promise<T> {
    const key = `lock:invoice-number:${tenantId}`
    return this.writes.run(COUNTER, [key], ({ transaction, fenceOf }) =>
      work(transaction, (count) => takeNumbers(transaction, tenantId, fenceOf(key), count)),
    )
  }
}

/**
 * Moves the counter on. One statement: whoever comes later waits for the row, and whoever has an older fence than it finds none.
 * @param fence of the lock that the writer holds @param count at least 1 @throws StaleWriterError
 */
export async function takeNumbers(
  transaction: EntityManager,
  tenantId: string,
  fence: bigint,
  count: number,
): Promise<string[]> {
  const [row] = await transaction.query<{ last: string }[]>(
    `INSERT INTO finance.invoice_counter AS counter (tenant_id, last, fence) VALUES ($1, $2, $3)
     ON CONFLICT (tenant_id) DO UPDATE SET last = counter.last + $2, fence = $3 WHERE counter.fence <= $3
     RETURNING last`,
    [tenantId, count, fence.toString()],
  )
  if (row === undefined) throw new StaleWriterError(COUNTER)
  const first = BigInt(row.last) - BigInt(count) + 1n
  return Array.from({ length: count }, (_, at) => invoiceNumber(first + BigInt(at)))
}

/**
 * `INV-00000042`. One sequence for all years, which is what "without a gap" is about: nothing begins anew at midnight in some time zone, and
 * no draft of December takes the last number of a year that is over. Eight digits sort as text; after 99,999,999 there are nine.
 */
export const invoiceNumber = (sequence: bigint): string => `INV-${sequence.toString().padStart(8, '0')}`

const COUNTER = 'The invoice counter'
