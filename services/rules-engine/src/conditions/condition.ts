/**
 * When a rule holds: a small expression over the facts of one evaluation, kept as data. It has no code in it, calls nothing and ends after as
 * many steps as it has parts.
 *
 * ```json
 * { "all": [{ "fact": "invoice.total", "op": "gt", "value": 1000 }, { "not": { "fact": "customer.trusted", "op": "eq", "value": true } }] }
 * ```
 *
 * What a fact is that is missing, or of another type than it is compared with: it equals nothing, is in no list, and is neither more nor less
 * than anything. So `ne` and `notIn` hold for it, and no other comparison does. Numbers are compared with numbers and text with text, by code
 * units; amounts of money are numbers here, in the facts and in the rules alike.
 */
export type Condition =
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition }
  | Comparison

/** One look at one fact. */
export type Comparison =
  | { readonly fact: string; readonly op: 'eq' | 'ne'; readonly value: Scalar | FactReference }
  | { readonly fact: string; readonly op: Ordering; readonly value: Ordered | FactReference }
  | { readonly fact: string; readonly op: 'in' | 'notIn'; readonly values: readonly Scalar[] }
  /** Both ends are included. */
  | { readonly fact: string; readonly op: 'between'; readonly from: Ordered; readonly to: Ordered }
  | { readonly fact: string; readonly op: 'exists' }

export type Ordering = 'gt' | 'gte' | 'lt' | 'lte'
export type Scalar = string | number | boolean | null
export type Ordered = string | number

/** Another fact, in the place of a value. */
export interface FactReference {
  readonly fact: string
}

/** What is known when rules are evaluated: plain JSON data. */
export type Facts = Readonly<Record<string, unknown>>
