import { z } from 'zod'

/** Pieces of input that several endpoints share. Numbers in paths and queries come as text. */

/** An id in a path or query: a positive integer that fits the database's column. */
export const idParam = z.coerce.number<string>().int().min(1).max(2_147_483_647)

/** An id in a JSON body. */
export const idField = z.number().int().min(1).max(2_147_483_647)

/** An amount of money: a decimal string, so that no float rounds it. */
export const amount = z
  .string()
  .regex(/^\d{1,10}(\.\d{1,4})?$/, 'must be a decimal string such as "12.50"')
  .meta({ example: '12.50' })

/** Text that people type: no control characters, which also have no place in a cache key, and no halves of surrogate pairs, which Postgres refuses in JSON. */
export const label = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not contain control characters, nor halves of characters')

/** A name in an address and a cache key: `invoice.approval`. */
export const slug = (example: string) =>
  z
    .string()
    .max(100)
    .regex(
      /^[a-z][a-z0-9]*([._-][a-z0-9]+)*$/,
      'must be lower-case words with dots, dashes or underscores between them',
    )
    .meta({ example })

/** The version that a change was made from; another one in the database is a conflict. */
export const versionField = z.number().int().min(1)
export const versionQuery = z.object({ version: z.coerce.number<string>().int().min(1).optional() })

/** Both are bounded: no request reads more than 100 rows, or skips more than 100,000. */
export const pageQuery = z.object({
  page: z.coerce.number<string>().int().min(1).max(1_000).default(1),
  pageSize: z.coerce.number<string>().int().min(1).max(100).default(20),
})
export type PageQuery = z.infer<typeof pageQuery>

/** A page of a longer list. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    page: z.number().int(),
    pageSize: z.number().int(),
    total: z.number().int().meta({ description: 'Rows in all pages' }),
  })

export interface Page<T> {
  items: T[]
  page: number
  pageSize: number
  total: number
}
