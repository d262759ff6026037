import { BadRequestException, ConflictException, Injectable } from '@nestjs/common'
import { InjectDataSource } from '@nestjs/typeorm'
import { explained, FencedWrites, StaleWriterError, updatedRow } from '@vextrus/service-kit'
import { RedisLockService } from '@vextrus/shared/lock'
import { DataSource, type EntityManager } from 'typeorm'
import { Account, Posting, Transfer } from './account.entities.js'

/** Money that is to go from one account to another. */
export interface TransferRequest {
  /** Names this wish, whoever sends it how often: it is fulfilled once. */
  readonly reference: string
  readonly from: string
  readonly to: string
  /** Minor units, above zero. */
  readonly amount: number
}

/** What came of it. */
export interface TransferResult extends TransferRequest {
  /** It had been done before, and was not done again. */
  readonly repeated: boolean
}

/**
 * The accounts of tenants, by double entry: money moves and never comes or goes, so each transfer is two postings that add up to zero, and so do
 * all balances of a tenant. A balance is the sum of its account's postings, written in their transaction.
 *
 * A transfer holds the locks of both accounts, `lock:account:<tenant>:<code>`, taken in the order of their names; each row checks the fence of
 * its own lock (`FencedWrites` of the kit). Transfers between different accounts of a tenant don't wait for each other.
 */
@Injectable()
export class AccountLedger {
  private readonly writes: FencedWrites

  constructor(@InjectDataSource() dataSource: DataSource, locks: RedisLockService) {
    this.writes = new FencedWrites(dataSource, locks)
  }

  /**
   * Moves money.
   * @throws BadRequestException no such account @throws ConflictException one would be overdrawn, or the reference was used for something else
   * @throws StaleWriterError, LockTimeoutError, LockUnavailableError nothing was done
   */
  transfer(tenantId: string, request: TransferRequest): Promise<TransferResult> {
    const { reference, from, to, amount } = request
    const keyOf = (code: string) => `lock:account:${tenantId}:${code}`
    const write = this.writes.run(
      `Transfer ${reference}`,
      [keyOf(from), keyOf(to)],
      async ({ transaction, fenceOf }) => {
        const done = await transaction.findOneBy(Transfer, { tenantId, reference })
        if (done !== null) return repeated(done, request)
        const halves = [
          { code: from, amount: -amount },
          { code: to, amount },
        ].toSorted((a, b) => (a.code < b.code ? -1 : 1))
        // In one order here too, for writers whose lock is lost meet at the rows.
        for (const { code, amount } of halves) await post(transaction, { tenantId, code }, amount, fenceOf(keyOf(code)))
        await transaction.insert(Transfer, { tenantId, reference, from, to, amount })
        await transaction.insert(
          Posting,
          halves.map(({ code, amount }) => ({ tenantId, reference, accountCode: code, amount })),
        )
        return { reference, from, to, amount, repeated: false }
      },
    )
    // Whoever uses the reference for other accounts at the same time holds other locks: the table's key decides.
    return explained(write, { missing: 'The account does not exist', taken: usedReference(reference) })
  }
}

/**
 * Changes the balance of an account; its posting is the caller's.
 * @param fence of the lock that the writer holds @throws as {@link AccountLedger.transfer}
 */
export async function post(
  transaction: EntityManager,
  { tenantId, code }: { readonly tenantId: string; readonly code: string },
  amount: number,
  fence: bigint,
): Promise<void> {
  const row = await updatedRow<{ balance: string }>(
    transaction,
    `UPDATE finance.accounts SET balance = balance + $3, fence = $4
      WHERE tenant_id = $1 AND code = $2 AND fence <= $4 AND (may_be_negative OR balance + $3 >= 0)
     RETURNING balance`,
    [tenantId, code, amount, fence.toString()],
  )
  if (row !== undefined) return
  const account = await transaction.findOneBy(Account, { tenantId, code })
  if (account === null) throw new BadRequestException(`Account ${code} does not exist`)
  if (BigInt(account.fence) > fence) throw new StaleWriterError(`Account ${code}`)
  throw new ConflictException(`Account ${code} holds ${account.balance}: not enough to take out ${-amount}`)
}

function repeated({ from, to, amount, reference }: Transfer, request: TransferRequest): TransferResult {
  if (from !== request.from || to !== request.to || amount !== request.amount)
    throw new ConflictException(usedReference(reference))
  return { reference, from, to, amount, repeated: true }
}

const usedReference = (reference: string): string => `Reference ${reference} was used for something else`
