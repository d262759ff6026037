import { MissingPeerError } from '../errors.js'
import { PackedWriter, reviveUnpacked } from './packed-data.js'
import { notStored, tooDeep, unreadable } from './typed-json.js'

/** MessagePack by the optional package `msgpackr`, with the types that MessagePack lacks (packed-data.ts). */
export interface Msgpack {
  /** @throws SerializationError as `encodeJson` does */
  pack(value: unknown): Buffer
  /** @throws SerializationError the bytes are not what `pack` writes */
  unpack(bytes: Buffer): unknown
}

/** Loads the package. @throws MissingPeerError it is not installed */
export async function loadMsgpack(): Promise<Msgpack> {
  let loaded: Partial<Msgpackr> & { readonly default?: Msgpackr }
  try {
    loaded = (await import('msgpackr')) as Partial<Msgpackr>
  } catch (cause) {
    throw new MissingPeerError('msgpackr', "serializer: 'msgpack'", cause)
  }
  const { Packr } = (loaded.Packr === undefined ? loaded.default : loaded) as Msgpackr
  // Standard MessagePack: no records, which compile code for each shape, and none of the library's own extensions.
  const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'number' })
  return { pack: (value) => pack(packr, value), unpack: (bytes) => unpack(packr, bytes) }
}

interface Msgpackr {
  readonly Packr: new (options: object) => Packr
}
interface Packr {
  pack(value: unknown): Buffer
  unpack(bytes: Buffer): unknown
}

function pack(packr: Packr, value: unknown): Buffer {
  try {
    const written = new PackedWriter().write(value, '', 0)
    if (written === '~u') throw notStored()
    return packr.pack(written)
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep(error)
    throw error
  }
}

function unpack(packr: Packr, bytes: Buffer): unknown {
  try {
    return reviveUnpacked(packr.unpack(bytes))
  } catch {
    // The library throws errors of many kinds at damaged bytes, some of which quote them.
    throw unreadable('the stored bytes are no MessagePack data')
  }
}
