import { BadRequestException, ConflictException } from '@nestjs/common'
import { QueryFailedError } from 'typeorm'

/** What a violated constraint of a table means to the client. */
export interface Mistakes {
  /** A row was referred to that does not exist. */
  readonly missing: string
  /** What must be unique is taken. */
  readonly taken: string
}

/** Waits for a write; a constraint that it violates is the client's mistake and is answered as such: 400 or 409. */
export async function explained<T>(write: Promise<T>, mistakes: Mistakes): Promise<T> {
  try {
    return await write
  } catch (error) {
    // SQLSTATE class 23; PostgreSQL's documentation, appendix A.
    const code: unknown = error instanceof QueryFailedError ? (error.driverError as { code?: unknown }).code : undefined
    if (code === '23503') throw new BadRequestException(mistakes.missing)
    if (code === '23505') throw new ConflictException(mistakes.taken)
    if (code === '23514') throw new BadRequestException('A value is out of its range')
    throw error
  }
}
