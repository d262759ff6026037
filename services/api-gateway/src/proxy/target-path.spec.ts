import { BadRequestException } from '@nestjs/common'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { behindFirstSegment, targetOf } from './target-path.js'

describe('the target of a request', () => {
  it.each([
    ['/master-data/products/1', '/products/1', ''],
    ['/master-data/products?q=a%20b&ids=1,2&filter[name]=x|y', '/products', '?q=a%20b&ids=1,2&filter[name]=x|y'],
    ['/master-data/products/?', '/products/', '?'],
    ['/master-data', '/', ''],
    ['/master-data/', '/', ''],
    ['/finance/stock/ITEM-001/a%20b%C3%BC', '/stock/ITEM-001/a%20b%C3%BC', ''],
    ['/finance/..a/.b/c..', '/..a/.b/c..', ''],
    ['/finance/x?next=/../../y', '/x', '?next=/../../y'],
  ])('%s is %s of its service', (url, path, query) => {
    expect(behindFirstSegment(targetOf(url))).toEqual({ path, query })
  })

  it.each([
    '/finance/../master-data/x',
    '/finance/..',
    '/finance/./x',
    '/finance/%2e%2e/x',
    '/finance/.%2E/x',
    '/finance/%2e%2e%2fx',
    '/finance/..%2f..%2fx',
    '/finance/x%2f..%2fy',
    '/finance/..\\x',
    '/finance/..%5cx',
    '/finance/..;/x'.replace(';', '%00'),
    '/finance/x%0d%0ahost: evil',
    '/finance//evil.example/x',
    '//evil.example/finance/x',
    'http://evil.example/finance/x',
    'finance/x',
    '*',
    '',
    '/finance/%zz',
    '/finance/%ff',
    '/finance/x y',
    '/finance/ä',
    '/finance/x?a=ä',
    '/finance/x?a#b',
    '/finance/x#b',
    '/finance@evil.example:80/\u0000',
  ])('%s is refused', (url) => {
    expect(() => targetOf(url)).toThrowError(BadRequestException)
  })

  it('never leaves the service, however often a path is decoded and resolved', () => {
    const piece = fc.constantFrom(
      '.',
      '..',
      '%2e',
      '%2E',
      '/',
      '%2f',
      '\\',
      '%5c',
      '%25',
      'a',
      'finance',
      ';',
      '@',
      ':',
      '%00',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        let target
        try {
          target = behindFirstSegment(targetOf(`/finance/${pieces.join('')}`))
        } catch (error) {
          expect(error).toBeInstanceOf(BadRequestException)
          return
        }
        // As a reader that resolves takes it, at once or after decoding.
        for (const path of [target.path, decodeURIComponent(target.path)]) {
          const inside = new URL(`http://service.test/inside${path}`)
          expect(inside.host).toBe('service.test')
          expect(inside.pathname).toMatch(/^\/inside\//)
        }
        expect(target.path).toMatch(/^\/(?!\/)/)
      }),
      { numRuns: 2_000 },
    )
  })
})
