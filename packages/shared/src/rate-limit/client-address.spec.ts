import { SocketAddress } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clientAddress } from './client-address.js'

describe('the address of a client', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::FFFF:0a01:0203', '10.1.2.3'],
    ['0:0:0:0:0:ffff:a01:203', '10.1.2.3'],
    ['64:ff9b::10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::5', '2001:db8::/64'],
    ['2001:db8:0:1::5', '2001:db8:0:1::/64'],
    ['::1', '::/64'],
    ['::', '::/64'],
    ['::1.2.3.4', '::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    ['fe80::1%eth0:1', 'fe80::/64'],
    ['[2001:db8::1]', '2001:db8::/64'],
    ['[2001:db8::1]:443', '2001:db8::/64'],
    ['10.1.2.3:51234', '10.1.2.3'],
    ['[::ffff:10.1.2.3]:80', '10.1.2.3'],
  ])('%s counts as %s', (address, counted) => {
    expect(clientAddress(address)).toBe(counted)
  })

  it.each([
    [48, '2001:db8:ffff::/48'],
    [56, '2001:db8:ffff:ff00::/56'],
    [60, '2001:db8:ffff:fff0::/60'],
    [65, '2001:db8:ffff:ffff:8000::/65'],
    [127, '2001:db8:ffff:ffff:ffff:ffff:ffff:fffe/127'],
    [128, '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
    [1, '::/1'],
  ])('of IPv6 its leading %s bits count', (prefix, counted) => {
    expect(clientAddress('2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', prefix)).toBe(counted)
  })

  it.each([undefined, '', 'unknown', '1.2.3', '1.2.3.4.5', '01.2.3.4', '2001:db8', ':::', '10.1.2.3, 10.1.2.4', '[]'])(
    '%s is none',
    (text) => {
      expect(clientAddress(text)).toBeUndefined()
    },
  )

  it('is the same for all ways to write one IPv6 address, and the one that Node writes with all bits', () => {
    const group = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat(0xffff))
    fc.assert(
      fc.property(
        fc.array(group, { minLength: 8, maxLength: 8 }),
        fc.integer({ min: 1, max: 128 }),
        (groups, prefix) => {
          const long = groups.map((each) => each.toString(16).padStart(4, '0')).join(':')
          const { address } = new SocketAddress({ address: long, family: 'ipv6' })
          expect(clientAddress(address, prefix)).toBe(clientAddress(long.toUpperCase(), prefix))
          // Node writes the deprecated `::1.2.3.4` for what begins with six zeros.
          if (!address.includes('.') && !address.startsWith('64:ff9b::')) expect(clientAddress(long, 128)).toBe(address)
        },
      ),
    )
  })

  it('is the same for two addresses exactly when their leading bits are', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 127 }), fc.bigInt(0n, (1n << 120n) - 1n), (prefix, random) => {
        const host = BigInt(128 - prefix)
        const base = (((0x20n << 120n) | random) >> host) << host
        const last = base | ((1n << host) - 1n)
        const counted = clientAddress(textOf(base), prefix)
        expect(clientAddress(textOf(last), prefix)).toBe(counted)
        expect(clientAddress(textOf(last ^ (1n << host)), prefix)).not.toBe(counted)
      }),
    )
  })
})

function textOf(address: bigint): string {
  return address.toString(16).padStart(32, '0').match(/.{4}/g)!.join(':')
}
