/** The hash slot that Redis Cluster puts a key in: CRC16 (XMODEM) of its hash tag, or of all of it, modulo 16,384. */
export function slotOf(key: string): number {
  const tag = hashTagOf(key)
  return crc16(Buffer.from(tag ?? key)) % SLOTS
}

/** What stands between the first `{` and the next `}`, when that is not empty: the part of a key that decides its slot. */
export function hashTagOf(key: string): string | undefined {
  const open = key.indexOf('{')
  if (open === -1) return undefined
  const close = key.indexOf('}', open + 1)
  return close === -1 || close === open + 1 ? undefined : key.slice(open + 1, close)
}

/** A short string of letters and digits in this slot. */
export function labelOf(slot: number): string {
  labels ??= findLabels()
  return labels[slot]!
}

const SLOTS = 16_384

let labels: string[] | undefined

/** Counts up in base 36 until every slot was met once: about 160,000 steps, done at the first need of a process. */
function findLabels(): string[] {
  const found: string[] = new Array<string>(SLOTS)
  for (let missing = SLOTS, i = 0; missing > 0; i++) {
    const label = i.toString(36)
    const slot = crc16(Buffer.from(label)) % SLOTS
    if (found[slot] !== undefined) continue
    found[slot] = label
    missing--
  }
  return found
}

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc
})

function crc16(bytes: Buffer): number {
  let crc = 0
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >> 8) ^ byte]!
  return crc
}
