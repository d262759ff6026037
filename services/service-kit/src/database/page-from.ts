import type { FindManyOptions, ObjectLiteral, Repository } from 'typeorm'
import type { Page } from '../http/input.js'

/** Which rows, in which order. The order must be total: with ties a row may stand on two pages, or on none. */
export type PageFind<Row> = Required<Pick<FindManyOptions<Row>, 'where' | 'order'>>

/** Reads one page of a longer list, with one query for its rows and one for how many there are in all. */
export async function pageFrom<Row extends ObjectLiteral, View>(
  repository: Repository<Row>,
  { page, pageSize }: { readonly page: number; readonly pageSize: number },
  find: PageFind<Row>,
  view: (row: Row) => View,
): Promise<Page<View>> {
  const [rows, total] = await repository.findAndCount({ ...find, skip: (page - 1) * pageSize, take: pageSize })
  return { items: rows.map(view), page, pageSize, total }
}
