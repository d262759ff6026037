/**
 * Deep copies of one value, made again and again: what a cache in process hands out, so that nobody who changes a value changes it for others.
 *
 * What there is to copy is found out once, in a {@link CopyPlan}; a copy is then a spread of each object and a `slice` of each array – which
 * engines do by copying memory – and steps down only where the plan says that something that can change lies below. The value must not change
 * after its plan was made.
 */
export type CopyPlan =
  /** Shared as it is: it can't be changed. */
  | typeof AS_IT_IS
  | { readonly kind: 'object'; readonly null: boolean; readonly parts: readonly Part<string>[] }
  | { readonly kind: 'array'; readonly parts: readonly Part<number>[]; readonly each: CopyPlan | null }
  | { readonly kind: 'date' | 'buffer' | 'bytes' }
  | { readonly kind: 'map'; readonly keys: readonly CopyPlan[]; readonly values: readonly CopyPlan[] }
  | { readonly kind: 'set'; readonly values: readonly CopyPlan[] }

interface Part<Place> {
  readonly at: Place
  readonly plan: CopyPlan
}

const AS_IT_IS = { kind: 'as-it-is' } as const

/**
 * The plan for a value, and about what the value weighs in memory, bytes; without a plan, as far as it was looked at.
 *
 * The plan is null where a copy would not be the same: the value holds something that is neither plain data nor a Date, Map, Set, Buffer or
 * Uint8Array; a field that is no plain one (a getter, a symbol's, a hidden one); an array with gaps or fields of its own; or one object in two
 * places, itself among them.
 */
export function survey(value: unknown): { readonly plan: CopyPlan | null; readonly bytes: number } {
  const seen: Seen = { objects: new Set(), bytes: 0 }
  return { plan: planOf(value, 0, seen), bytes: seen.bytes }
}

/** A copy by the plan of this very value. */
export function copyBy(plan: CopyPlan, value: unknown): unknown {
  switch (plan.kind) {
    case 'as-it-is':
      return value
    case 'object':
      return copyObject(plan, value as Record<string, unknown>)
    case 'array':
      return copyArray(plan, value as unknown[])
    case 'date':
      return new Date(value as Date)
    case 'buffer':
      return Buffer.from(value as Buffer)
    case 'bytes':
      return new Uint8Array(value as Uint8Array)
    case 'map':
      return copyMap(plan, value as Map<unknown, unknown>)
    case 'set':
      return new Set([...(value as Set<unknown>)].map((each, i) => copyBy(plan.values[i]!, each)))
  }
}

/** Whether freezing the value, and all below it, keeps it from being changed: Dates, Maps, Sets and bytes can be changed frozen. */
export function canFreeze(plan: CopyPlan): boolean {
  switch (plan.kind) {
    case 'as-it-is':
      return true
    case 'object':
      return plan.parts.every((part) => canFreeze(part.plan))
    case 'array':
      return plan.each === null ? plan.parts.every((part) => canFreeze(part.plan)) : canFreeze(plan.each)
    default:
      return false
  }
}

/** Freezes objects and arrays, and all below them that can be frozen, however deep. Answers the value itself. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  // What was frozen before may not have been in depth.
  const objects = new Set<object>([value])
  const add = (each: unknown): void => {
    if (typeof each === 'object' && each !== null) objects.add(each)
  }
  // A Set is walked in the order of insertion, and what is added on the way is walked too.
  for (const object of objects) {
    if (ArrayBuffer.isView(object)) continue
    if (object instanceof Map) for (const entry of object) entry.forEach(add)
    else if (object instanceof Set) for (const each of object) add(each)
    else for (const each of Object.values(object)) add(each)
    Object.freeze(object)
  }
  return value
}

function copyObject(plan: CopyPlan & { kind: 'object' }, value: Record<string, unknown>): Record<string, unknown> {
  const copy = plan.null ? Object.assign(Object.create(null) as typeof value, value) : { ...value }
  const { parts } = plan
  for (let i = 0; i < parts.length; i++) {
    const { at, plan: below } = parts[i]!
    // Also of a field called __proto__: the spread has made it the copy's own, so this sets no prototype.
    copy[at] = copyBy(below, value[at])
  }
  return copy
}

function copyArray(plan: CopyPlan & { kind: 'array' }, value: unknown[]): unknown[] {
  const copy = value.slice()
  const { each, parts } = plan
  if (each !== null) for (let i = 0; i < copy.length; i++) copy[i] = copyBy(each, copy[i])
  else for (const { at, plan: below } of parts) copy[at] = copyBy(below, value[at])
  return copy
}

function copyMap(plan: CopyPlan & { kind: 'map' }, value: Map<unknown, unknown>): Map<unknown, unknown> {
  const copy = new Map<unknown, unknown>()
  let i = 0
  for (const [key, each] of value) {
    copy.set(copyBy(plan.keys[i]!, key), copyBy(plan.values[i]!, each))
    i++
  }
  return copy
}

/** Deeper than this would end on the stack's limit; it is left to whoever can read the payload anew. */
const DEEPEST = 500
/** Roughly, on 64 bits. */
const HEAD_BYTES = 24
const FIELD_BYTES = 16
const BYTES_A_CHARACTER = 2
const BUFFER_BYTES = 100
const FLAT_OBJECT: CopyPlan = { kind: 'object', null: false, parts: [] }
const FLAT_ARRAY: CopyPlan = { kind: 'array', parts: [], each: null }
const DATE: CopyPlan = { kind: 'date' }
const BUFFER: CopyPlan = { kind: 'buffer' }
const BYTES: CopyPlan = { kind: 'bytes' }

/** What has been met so far. */
interface Seen {
  readonly objects: Set<object>
  bytes: number
}

function planOf(value: unknown, depth: number, seen: Seen): CopyPlan | null {
  if (typeof value === 'function' || typeof value === 'symbol' || depth > DEEPEST) return null
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'string') seen.bytes += HEAD_BYTES + BYTES_A_CHARACTER * value.length
    return AS_IT_IS
  }
  if (seen.objects.size === seen.objects.add(value).size) return null
  seen.bytes += HEAD_BYTES + (ArrayBuffer.isView(value) ? BUFFER_BYTES + value.byteLength : 0)
  switch (Object.getPrototypeOf(value) as unknown) {
    case Object.prototype:
      return planOfObject(value, false, depth, seen)
    case Array.prototype:
      return planOfArray(value as unknown[], depth, seen)
    case null:
      return planOfObject(value, true, depth, seen)
    case Date.prototype:
      return DATE
    case Buffer.prototype:
      return BUFFER
    case Uint8Array.prototype:
      return BYTES
    case Map.prototype: {
      const map = value as Map<unknown, unknown>
      const keys = planOfEach(map.keys(), depth, seen)
      const values = planOfEach(map.values(), depth, seen)
      return keys === null || values === null ? null : { kind: 'map', keys, values }
    }
    case Set.prototype: {
      const values = planOfEach(value as Set<unknown>, depth, seen)
      return values === null ? null : { kind: 'set', values }
    }
    default:
      return null
  }
}

function planOfObject(value: object, isNull: boolean, depth: number, seen: Seen): CopyPlan | null {
  const parts: Part<string>[] = []
  const names = Reflect.ownKeys(value)
  seen.bytes += FIELD_BYTES * names.length
  for (const at of names) {
    const field = Object.getOwnPropertyDescriptor(value, at)!
    // A spread would call the getter, and leave the hidden field out.
    if (typeof at === 'symbol' || field.enumerable !== true || field.get !== undefined || field.set !== undefined) {
      return null
    }
    const plan = planOf(field.value, depth + 1, seen)
    if (plan === null) return null
    if (plan !== AS_IT_IS) parts.push({ at, plan })
  }
  return parts.length === 0 && !isNull ? FLAT_OBJECT : { kind: 'object', null: isNull, parts }
}

function planOfArray(value: readonly unknown[], depth: number, seen: Seen): CopyPlan | null {
  // Its elements and its length: a gap or a field more would be lost.
  if (Reflect.ownKeys(value).length !== value.length + 1) return null
  const plans = planOfEach(value, depth, seen)
  if (plans === null) return null
  if (plans.every((plan) => plan === AS_IT_IS)) return FLAT_ARRAY
  // A list of rows of one shape: one plan for all of them.
  const [first] = plans
  if (plans.every((plan) => plan === first)) return { kind: 'array', parts: [], each: first! }
  const parts = plans.flatMap((plan, at) => (plan === AS_IT_IS ? [] : [{ at, plan }]))
  return { kind: 'array', parts, each: null }
}

/** Plans of values that follow each other: where one is as the one before it, it is the same object. */
function planOfEach(values: Iterable<unknown>, depth: number, seen: Seen): CopyPlan[] | null {
  const plans: CopyPlan[] = []
  for (const value of values) {
    seen.bytes += FIELD_BYTES
    const plan = planOf(value, depth + 1, seen)
    if (plan === null) return null
    const before = plans.at(-1)
    plans.push(before !== undefined && isAlike(plan, before) ? before : plan)
  }
  return plans
}

function isAlike(one: CopyPlan, other: CopyPlan): boolean {
  if (one === other) return true
  if (one.kind === 'object' && other.kind === 'object') {
    return one.null === other.null && areAlike(one.parts, other.parts)
  }
  return one.kind === 'array' && other.kind === 'array' && one.each === other.each && areAlike(one.parts, other.parts)
}

function areAlike<Place>(one: readonly Part<Place>[], other: readonly Part<Place>[]): boolean {
  return (
    one.length === other.length &&
    one.every((part, i) => part.at === other[i]!.at && isAlike(part.plan, other[i]!.plan))
  )
}
