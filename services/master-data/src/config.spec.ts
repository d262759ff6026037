import { describe, expect, it } from 'vitest'
import { readConfig } from './config.js'

describe('the configuration of master data', () => {
  it('is port 3000 and a burst when nothing is set', () => {
    expect(readConfig({ BURST: '' })).toEqual({ port: 3000, databasePool: 10, burst: true })
    expect(readConfig({ BURST: 'off' }).burst).toBe(false)
  })

  it('refuses a bad BURST by its name, without its value', () => {
    const read = () => readConfig({ BURST: 'perhaps' })
    expect(read).toThrowError('BURST: must be on or off')
    expect(read).not.toThrowError(/perhaps/)
  })
})
