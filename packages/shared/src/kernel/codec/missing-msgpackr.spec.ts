import { describe, expect, it, vi } from 'vitest'
import { MissingPeerError } from '../errors.js'
import { ValueCodec } from './value-codec.js'

vi.mock('msgpackr', () => {
  throw new Error("Cannot find package 'msgpackr'")
})

describe('without msgpackr', () => {
  it("serializer: 'msgpack' says what to install, at boot and at the first value", async () => {
    const codec = new ValueCodec({ serializer: 'msgpack' })
    await expect(codec.prepare()).rejects.toThrow(
      /serializer: 'msgpack' needs the package msgpackr.*npm install msgpackr/,
    )
    await expect(codec.encode('k', 1)).rejects.toThrow(MissingPeerError)
  })

  it('JSON works, and an entry of before is one that can not be read', async () => {
    const codec = new ValueCodec()
    await codec.prepare()
    expect(codec.encode('k', 1)).toMatchObject({ codec: 'j' })
    await expect(codec.decode('k', 'K', Buffer.of(1))).rejects.toMatchObject({ code: 'SERIALIZATION' })
  })
})
