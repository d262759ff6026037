/** An id as text. Undefined for what can't tell two apart: an object's text may be that of all objects. */
export function identityText(id: unknown): string | undefined {
  if (typeof id === 'string') return id === '' ? undefined : id
  return typeof id === 'bigint' || (typeof id === 'number' && Number.isFinite(id)) ? String(id) : undefined
}
