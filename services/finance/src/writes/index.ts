/**
 * The writes that need a lock, for a program without Nest: each takes a `DataSource` of this service's tables and a `RedisLockService` by its
 * constructor.
 */
export { type FencedWork, FencedWrites, StaleWriterError } from '@vextrus/service-kit'
export { AccountLedger, post, type TransferRequest, type TransferResult } from '../accounts/account-ledger.js'
export { database } from '../database/database.js'
export { InvoiceNumbers, invoiceNumber, takeNumbers, type TakeNumbers } from '../invoices/invoice-numbers.js'
export { moveStock, StockLedger, type StockRequest, type StockResult } from '../stock/stock-ledger.js'
