// The part of the journey in which Redis is away.
import { check, pause, Person, until } from './journey-person.mjs'

/** Together longer than the two seconds for which a process may believe what it remembers. */
const ROUNDS = 9
const STEP_MS = 300

/**
 * Redis is away, and comes back. Meanwhile all are answered: what needs no token as ever, with a token the answer, or 503 once nobody can say whether
 * it was revoked. One that was revoked before is never accepted, neither then nor afterwards. What is told before and after is heard.
 * @param products the path that ada browses
 */
export async function browseThrough({ begin, end }, journey, products) {
  const { gateway, ada, nobody } = journey
  const lost = new Person(gateway, ada.who)
  await lost.logIn()
  await lost.expect(200, 'GET', '/me')
  await lost.expect(204, 'POST', '/auth/logout')
  await lost.expect(401, 'GET', '/me')
  check(await journey.announce('before the outage'), `${ada.name} could not tell the tenant anything`)
  await begin()
  let last
  for (let round = 0; round < ROUNDS; round++) {
    await nobody.expect(200, 'GET', '/master-data/countries/BD')
    last = await ada.ask('GET', products)
    const isTold = last.status === 200 || (last.status === 503 && last.headers.has('retry-after'))
    check(isTold, `without Redis products are ${last.status}`)
    await expectRefused(lost, 'without Redis')
    await pause(STEP_MS)
  }
  check(last.status === 503, `a token of which nobody knows whether it was revoked was answered with ${last.status}`)
  await end()
  await until('products are answered again', async () => {
    await expectRefused(lost, 'when Redis comes back')
    return (await ada.ask('GET', products)).status === 200
  })
  await until('a token that was revoked before the outage is 401 again', async () => {
    return (await expectRefused(lost, 'after the outage')) === 401
  })
  await recovered(journey)
}

/** Each service has a connection of its own to find again. All this may be sent twice. */
async function recovered(journey) {
  const { ada } = journey
  const delivery = { reference: 'journey-outage', quantity: 1 }
  await until('finance has its locks again', () => ada.is(200, 'POST', '/finance/stock/ITEM-001/receipts', delivery))
  await until('auth has its sessions again', () => ada.is(200, 'GET', '/auth/devices'))
  await until('workflow tells again', () => journey.announce('after the outage'))
}

/** Answers the status. @throws Stop the token was believed, or something else happened than that it is refused */
async function expectRefused(person, when) {
  const { status } = await person.ask('GET', '/me')
  check([401, 429, 503].includes(status), `${when} a token that was revoked was answered with ${status}`)
  return status
}
