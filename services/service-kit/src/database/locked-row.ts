import { ConflictException, NotFoundException } from '@nestjs/common'
import type { DataSource, EntityManager, EntityTarget, FindOptionsWhere } from 'typeorm'

/** A row that counts its changes. */
export interface Versioned {
  readonly version: number
}

/**
 * Reads a row that the transaction is about to change, and keeps others from changing it until it ends.
 * @param what the row, as the client is told of it: `Product 7`
 * @param version that the client has seen; undefined: any
 * @throws NotFoundException @throws ConflictException the row has another version by now
 */
export async function lockedRow<T extends Versioned>(
  transaction: EntityManager,
  entity: EntityTarget<T>,
  where: FindOptionsWhere<T>,
  what: string,
  version?: number,
): Promise<T> {
  const row = await transaction.findOne(entity, { where, lock: { mode: 'pessimistic_write' } })
  if (row === null) throw new NotFoundException(`${what} was not found`)
  if (version !== undefined && row.version !== version) {
    throw new ConflictException(
      `${what} was changed by somebody else: its version is ${row.version} by now, not ${version}`,
    )
  }
  return row
}

/**
 * Removes a row of the version that the client has seen, in a transaction of its own; undefined: of any. Answers the row as it was.
 * @throws NotFoundException @throws ConflictException as {@link lockedRow}
 */
export function removedRow<T extends Versioned>(
  dataSource: DataSource,
  entity: EntityTarget<T>,
  where: FindOptionsWhere<T>,
  what: string,
  version?: number,
): Promise<T> {
  return dataSource.transaction(async (transaction) => {
    const row = await lockedRow(transaction, entity, where, what, version)
    await transaction.delete(entity, where)
    return row
  })
}
