import { QueryFailedError } from 'typeorm'

/** SQLSTATE (PostgreSQL's documentation, appendix A) and Node's names of what is wrong with a connection: class 08, the server ends, starts, or is full. */
const CODES =
  /^(08...|57P0[1-4]|53300|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/
/** What `pg` and its pool say of it without a code. */
const MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/

/** Whether an error of a query says that the database can't be reached, or not at the moment, and nothing of the query. */
export function isDatabaseAway(error: unknown): boolean {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error
  if (!(cause instanceof Error)) return false
  const { code } = cause as { readonly code?: unknown }
  return typeof code === 'string' ? CODES.test(code) : MESSAGES.test(cause.message)
}
