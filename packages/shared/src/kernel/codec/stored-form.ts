/** What was done to a value before it was stored: one letter each, the codec of its envelope. */
export interface StoredForm {
  readonly codec: string
  /** What wrote the value: plain JSON, JSON with typed marks, MessagePack, the user's own serializer. */
  readonly serializer: 'json' | 'typed-json' | 'msgpack' | 'custom'
  readonly compression: 'gzip' | 'brotli' | null
  readonly encrypted: boolean
}

/**
 * The table of codecs. The first two are text; every other payload is bytes, and its letter a capital. Letters are never given a second
 * meaning: entries of older releases lie in Redis. W to Z are free. `f` is a foreign value's (envelope.ts).
 *
 *                     plain               encrypted
 *                  –  gzip  brotli      –  gzip  brotli
 */
const LETTERS = {
  json: [
    ['j', 'A', 'B'],
    ['C', 'D', 'E'],
  ],
  'typed-json': [
    ['t', 'F', 'G'],
    ['H', 'I', 'J'],
  ],
  msgpack: [
    ['K', 'L', 'M'],
    ['N', 'O', 'P'],
  ],
  custom: [
    ['Q', 'R', 'S'],
    ['T', 'U', 'V'],
  ],
} as const

const COMPRESSIONS = [null, 'gzip', 'brotli'] as const

/** Every form that a value can be stored in. */
export const STORED_FORMS: readonly StoredForm[] = Object.entries(LETTERS).flatMap(([serializer, rows]) =>
  rows.flatMap((row, encrypted) =>
    row.map((codec, compression) => ({
      codec,
      serializer: serializer as StoredForm['serializer'],
      compression: COMPRESSIONS[compression] as StoredForm['compression'],
      encrypted: encrypted === 1,
    })),
  ),
)

const BY_CODEC = new Map(STORED_FORMS.map((form) => [form.codec, form]))

/** The form that a codec stands for; undefined: this release does not know it. */
export function formOf(codec: string): StoredForm | undefined {
  return BY_CODEC.get(codec)
}

/** The codec of a form. */
export function codecOf({ serializer, compression, encrypted }: Omit<StoredForm, 'codec'>): string {
  return LETTERS[serializer][encrypted ? 1 : 0][COMPRESSIONS.indexOf(compression) as 0 | 1 | 2]
}
