import { ConflictException, Injectable, NotFoundException } from '@nestjs/common'
import { InjectDataSource } from '@nestjs/typeorm'
import { explained, FencedWrites, StaleWriterError, updatedRow } from '@vextrus/service-kit'
import { RedisLockService } from '@vextrus/shared/lock'
import { DataSource, type EntityManager } from 'typeorm'
import { StockItem, StockMovement } from './stock.entities.js'

/** What is to come or to go. */
export interface StockRequest {
  /** Names this wish, whoever sends it how often: it is fulfilled once. */
  readonly reference: string
  /** Above zero. */
  readonly quantity: number
}

/** What came of it. */
export interface StockResult {
  readonly sku: string
  readonly reference: string
  /** Below zero: it went. */
  readonly quantity: number
  /** What was there afterwards, at that time. */
  readonly remaining: number
  /** It had been done before, and was not done again. */
  readonly repeated: boolean
}

/**
 * What lies in the warehouse. Nothing is sold that is not there: each movement happens under the lock `lock:stock:<tenant>:<sku>`, with its fence
 * checked by the row (`FencedWrites` of the kit); the row's `CHECK (quantity >= 0)` stands behind it.
 */
@Injectable()
export class StockLedger {
  private readonly writes: FencedWrites

  constructor(@InjectDataSource() dataSource: DataSource, locks: RedisLockService) {
    this.writes = new FencedWrites(dataSource, locks)
  }

  /**
   * Takes some of it out.
   * @throws ConflictException there is not enough, or the reference was used for something else @throws NotFoundException
   * @throws StaleWriterError, LockTimeoutError, LockUnavailableError nothing was done
   */
  deduct(tenantId: string, sku: string, { reference, quantity }: StockRequest): Promise<StockResult> {
    return this.move(tenantId, sku, reference, -quantity)
  }

  /** Puts some in. @throws as {@link deduct} */
  receive(tenantId: string, sku: string, { reference, quantity }: StockRequest): Promise<StockResult> {
    return this.move(tenantId, sku, reference, quantity)
  }

  private move(tenantId: string, sku: string, reference: string, quantity: number): Promise<StockResult> {
    const key = `lock:stock:${tenantId}:${sku}`
    const write = this.writes.run(nameOf(sku), [key], async ({ transaction, fenceOf }) => {
      const done = await transaction.findOneBy(StockMovement, { tenantId, reference })
      if (done !== null) return repeated(done, sku, quantity)
      const remaining = await moveStock(transaction, { tenantId, sku }, quantity, fenceOf(key))
      await transaction.insert(StockMovement, { tenantId, reference, sku, quantity, remaining })
      return { sku, reference, quantity, remaining, repeated: false }
    })
    // Whoever uses the reference for another thing at the same time holds another lock: the table's key decides.
    return explained(write, { missing: `${nameOf(sku)} was not found`, taken: usedReference(reference) })
  }
}

/**
 * Changes the row of a thing, and answers what is there then.
 * @param fence of the lock that the writer holds @throws as {@link StockLedger.deduct}
 */
export async function moveStock(
  transaction: EntityManager,
  { tenantId, sku }: { readonly tenantId: string; readonly sku: string },
  quantity: number,
  fence: bigint,
): Promise<number> {
  const row = await updatedRow<{ quantity: string }>(
    transaction,
    `UPDATE finance.stock_items SET quantity = quantity + $3, fence = $4
      WHERE tenant_id = $1 AND sku = $2 AND fence <= $4 AND quantity + $3 >= 0
     RETURNING quantity`,
    [tenantId, sku, quantity, fence.toString()],
  )
  if (row !== undefined) return Number(row.quantity)
  const item = await transaction.findOneBy(StockItem, { tenantId, sku })
  if (item === null) throw new NotFoundException(`${nameOf(sku)} was not found`)
  if (BigInt(item.fence) > fence) throw new StaleWriterError(nameOf(sku))
  throw new ConflictException(`${nameOf(sku)} is ${item.quantity}: not enough to take out ${-quantity}`)
}

function repeated(done: StockMovement, sku: string, quantity: number): StockResult {
  const { reference, remaining } = done
  if (done.sku !== sku || done.quantity !== quantity) throw new ConflictException(usedReference(reference))
  return { sku, reference, quantity, remaining, repeated: true }
}

const usedReference = (reference: string): string => `Reference ${reference} was used for something else`

const nameOf = (sku: string): string => `Stock of ${sku}`
