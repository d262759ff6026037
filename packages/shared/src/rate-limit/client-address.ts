import { isIPv4, isIPv6 } from 'node:net'

/**
 * A client's address in the form in which it is counted. IPv4 is as it is. Of IPv6 the leading bits count: who has one address has the whole network
 * and may take another address for each request (RFC 6177 gives a site a /64 at least). IPv6 that stands for IPv4 – mapped, `::ffff:0:0/96`, or
 * translated, `64:ff9b::/96` of RFC 6052 – is that IPv4.
 *
 * A port, as some proxies add it, brackets and a zone (`%eth0`) are left out.
 *
 * @example `clientAddress('2001:db8:1:2:3::4')` is `'2001:db8:1:2::/64'`
 * @param ipv6Prefix bits, 1 to 128
 * @returns undefined: the text is no address
 */
export function clientAddress(address: string | undefined, ipv6Prefix = 64): string | undefined {
  if (typeof address !== 'string') return undefined
  if (isIPv4(address)) return address
  // How Node writes a client of IPv4 on a server that listens to both: mostly.
  if (address.startsWith('::ffff:') && isIPv4(address.slice(7))) return address.slice(7)
  const bare = DECORATED.exec(address)
  const plain = bare === null ? address : (bare[1] ?? bare[2])!
  if (isIPv4(plain)) return plain
  if (!isIPv6(plain)) return undefined
  const groups = groupsOf(plain.replace(/%.*$/s, ''))
  return embeddedIPv4(groups) ?? networkOf(groups, ipv6Prefix)
}

/** `[address]`, `[address]:port`, `address:port` of IPv4. */
const DECORATED = /^(?:\[([^\]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/

/** The eight numbers of 16 bits of an address that is one. */
function groupsOf(address: string): number[] {
  const [head, tail] = address.split('::') as [string, string | undefined]
  const [before, after] = [numbersOf(head), numbersOf(tail ?? '')]
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
}

function numbersOf(part: string): number[] {
  if (part === '') return []
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [parseInt(group, 16)]
    const [a, b, c, d] = group.split('.').map(Number) as [number, number, number, number]
    return [a * 256 + b, c * 256 + d]
  })
}

function embeddedIPv4(groups: readonly number[]): string | undefined {
  const [first, second, ...rest] = groups as [number, number, ...number[]]
  const zeros = rest.slice(0, 3).every((group) => group === 0)
  const mapped = first === 0 && second === 0 && zeros && rest[3] === 0xffff
  const translated = first === 0x64 && second === 0xff9b && zeros && rest[3] === 0
  if (!mapped && !translated) return undefined
  const [high, low] = rest.slice(4) as [number, number]
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

function networkOf(groups: readonly number[], prefix: number): string {
  const kept = groups.map((group, i) => {
    const bits = Math.min(16, Math.max(0, prefix - i * 16))
    return group & (0xffff << (16 - bits)) & 0xffff
  })
  const text = compressed(kept)
  return prefix < 128 ? `${text}/${prefix}` : text
}

/** As RFC 5952: the first of the longest runs of two zeros or more is `::`. */
function compressed(groups: readonly number[]): string {
  let [start, length] = [0, 0]
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && groups[end] === 0) end++
    if (end - i > length) [start, length] = [i, end - i]
  }
  const hex = groups.map((group) => group.toString(16))
  if (length < 2) return hex.join(':')
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`
}
