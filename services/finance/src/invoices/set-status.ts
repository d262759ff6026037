import type { EntityManager } from 'typeorm'
import type { InvoiceStatus } from './invoice-status.js'

/**
 * Gives a status to invoices that the transaction has locked.
 * @param numbers of the invoices in the order of `ids`, when they are issued; undefined: they keep what they have
 */
export async function setStatus(
  transaction: EntityManager,
  ids: readonly number[],
  status: InvoiceStatus,
  numbers?: readonly string[],
): Promise<void> {
  await transaction.query(
    `UPDATE finance.invoices AS invoice
        SET status = $2, version = version + 1, updated_at = now(),
            number = coalesce(given.number, invoice.number),
            issued_at = CASE WHEN given.number IS NULL THEN issued_at ELSE now() END
       FROM unnest($1::int[], $3::text[]) AS given (id, number)
      WHERE invoice.id = given.id`,
    [ids, status, numbers ?? ids.map(() => null)],
  )
}
