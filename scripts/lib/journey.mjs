// The way of people through the whole ERP, over HTTP and by the gateway alone: log in, browse, raise and number invoices, approve, be notified, be
// limited, log out. Two tenants go it side by side, and neither sees anything of the other. A step that is not as it should be ends it with a
// sentence. `outage`, where there is a Redis to be taken away, comes in the middle of browsing.
import { EventListener } from './event-listener.mjs'
import { browseThrough } from './journey-outage.mjs'
import { check, Person, sameJson, until } from './journey-person.mjs'
import { Stop } from './run.mjs'

/** The smallest plan has 60 for a user and 120 for a tenant. */
const MOST_REQUESTS = 200
/** Faster than what was spent comes back, on any machine. */
const AT_ONCE = 20

const PRODUCTS = '/master-data/products?pageSize=20'

/**
 * @param gateway its url
 * @param people of the demonstration: `{ tenantId, name, password, roles }`
 * @param outage takes Redis away and brings it back, with what it knew: `{ begin(), end() }`. Undefined: there is none
 * @throws Stop what is not as it should be
 */
export async function walkJourney(gateway, people, outage) {
  const journey = new Journey(gateway, people)
  try {
    await journey.logIn()
    await journey.listen()
    await journey.browse()
    if (outage !== undefined) await browseThrough(outage, journey, PRODUCTS)
    const invoices = await journey.raiseInvoices()
    await journey.approve(invoices[1])
    await journey.checkHeard()
    await journey.reachLimit()
    await journey.logOut()
    await journey.reuseRefreshToken()
  } finally {
    await journey.end()
  }
}

class Journey {
  #listeners = []
  /** What ada has told her tenant. */
  announced = []

  constructor(gateway, people) {
    const find = (tenant, role) => people.find(({ tenantId, roles }) => tenantId === tenant && roles.includes(role))
    this.gateway = gateway
    /** Writes, and may tell everybody. On a large plan. */
    this.ada = new Person(gateway, find('aurora-hardware', 'clerk'))
    /** Approves. */
    this.grace = new Person(gateway, find('aurora-hardware', 'approver'))
    /** Of another tenant, on the smallest plan, and of the name that the clerk has. */
    this.neighbour = new Person(gateway, find('elbe-elektronik', 'clerk'))
    /** Who has shown nothing. */
    this.nobody = new Person(gateway, undefined)
  }

  async logIn() {
    for (const person of [this.ada, this.grace, this.neighbour]) await person.logIn()
    const { name, tenantId } = this.ada.who
    // The neighbour has the same name: her password opens nothing here.
    const wrong = { tenantId, name, password: this.neighbour.who.password }
    await this.nobody.expect(401, 'POST', '/auth/login', wrong)
    const me = await this.ada.expect(200, 'GET', '/me')
    check(me.tenantId === tenantId && me.id === this.ada.user.id, `/me of ${this.ada.name} is ${JSON.stringify(me)}`)
    await this.nobody.expect(401, 'GET', PRODUCTS)
  }

  async listen() {
    for (const person of [this.ada, this.grace, this.neighbour]) {
      person.listener = new EventListener(`${this.gateway}/workflow/notifications`, person.token)
      this.#listeners.push(person.listener)
      person.listener.start()
      await until(`${person.name} has a stream of notifications`, () => person.listener.lastId !== undefined)
    }
  }

  /** The first answer comes from the service, a later one from the gateway's cache: of the own tenant, for each. */
  async browse() {
    for (const person of [this.ada, this.neighbour]) {
      const first = await person.ask('GET', PRODUCTS)
      check(first.cache === 'MISS', `the first list of products of ${person.name} was a ${first.cache}`)
      person.expectOwn('products', first.body.items)
      const again = await until(`the products of ${person.name} come from the cache`, async () => {
        const answer = await person.ask('GET', PRODUCTS)
        return answer.cache === 'HIT' ? answer : undefined
      })
      check(sameJson(first.body, again.body), `the cache has answered ${person.name} something else than the service`)
      person.product = first.body.items[0].id
    }
    // What the client says of its tenant is nothing.
    const forged = { 'x-tenant-id': this.ada.who.tenantId, 'x-user-id': this.ada.user.id, 'x-user-roles': 'admin' }
    await this.neighbour.expect(404, 'GET', `/master-data/products/${this.ada.product}`, undefined, forged)
    await this.ada.expect(200, 'GET', `/master-data/products/${this.ada.product}`)
  }

  /** The same text is told once, however often it is sent. */
  async announce(text) {
    const reference = text.replaceAll(' ', '-')
    const isTold = await this.ada.is(201, 'POST', '/workflow/announcements', { text, reference })
    if (isTold && !this.announced.includes(text)) this.announced.push(text)
    return isTold
  }

  /** Two drafts, then their numbers, which follow each other. The other tenant has numbers of its own. Answers the invoices. */
  async raiseInvoices() {
    const invoices = []
    for (const person of [this.ada, this.ada, this.neighbour]) invoices.push(await person.draftInvoice())
    const [first, foreign, second] = [
      await this.ada.issue(invoices[0]),
      await this.neighbour.issue(invoices[2]),
      await this.ada.issue(invoices[1]),
    ]
    const [before, after] = [first, second].map(numberOf)
    check(after === before + 1, `${first.number} is followed by ${second.number}`)
    check(
      foreign.tenantId === this.neighbour.who.tenantId,
      `${this.neighbour.name} raised an invoice of ${foreign.tenantId}`,
    )
    await this.ada.expect(409, 'PATCH', `/finance/invoices/${first.id}/status`, { status: 'ISSUED' })

    await this.neighbour.expect(404, 'GET', `/finance/invoices/${first.id}`)
    await this.neighbour.expect(404, 'PATCH', `/finance/invoices/${first.id}/status`, { status: 'PAID' })
    await this.ada.expect(404, 'GET', `/finance/invoices/${foreign.id}`)
    for (const person of [this.ada, this.neighbour]) {
      const { items } = await person.expect(200, 'GET', '/finance/invoices?status=ISSUED&pageSize=100')
      person.expectOwn('invoices', items)
      const mine = [first, second, foreign].filter(({ tenantId }) => tenantId === person.who.tenantId)
      for (const { id } of mine)
        check(
          items.some((item) => item.id === id),
          `invoice ${id} is not in the list of ${person.name}`,
        )
    }
    return [first, second]
  }

  /** The clerk asks, the approver is told and approves, and the clerk, who was away, is told when she comes back. */
  async approve(invoice) {
    const facts = { invoice: { total: invoice.total } }
    const rules = await this.ada.expect(200, 'POST', '/rules-engine/evaluations', {
      subject: 'invoice.approval',
      facts,
    })
    check(rules.matches.length > 0, `no rule says who approves ${invoice.total}`)
    const { ada, grace, neighbour } = this
    const title = `Approve ${invoice.number}`
    const task = await ada.expect(201, 'POST', '/workflow/tasks', {
      title,
      approver: grace.user.id,
      invoiceId: invoice.id,
    })
    check(task.status === 'DRAFT' && task.invoiceId === invoice.id, `the task is ${JSON.stringify(task)}`)
    const status = `/workflow/tasks/${task.id}/status`
    await grace.expect(403, 'PATCH', status, { status: 'SUBMITTED' })
    await ada.expect(200, 'PATCH', status, { status: 'SUBMITTED' })
    await until(`${grace.name} is told what she is to approve`, () => grace.heard(task.id, 'SUBMITTED'))

    await ada.listener.stop()
    const seen = ada.listener.lastId
    await ada.expect(403, 'PATCH', status, { status: 'APPROVED' })
    await neighbour.expect(404, 'PATCH', status, { status: 'APPROVED' })
    await grace.expect(200, 'PATCH', status, { status: 'APPROVED', comment: 'As agreed' })
    await ada.expect(409, 'PATCH', status, { status: 'SUBMITTED' })
    this.task = task
    ada.listener.start()
    await until(`${ada.name} is told what was decided while she was away`, () => ada.heard(task.id, 'APPROVED'))
    check(ada.heard(task.id, 'APPROVED').id !== seen, 'a notification has the id of the one before it')

    await neighbour.expect(404, 'GET', `/workflow/tasks/${task.id}`)
    await this.ownTask(neighbour)
    const { items } = await ada.expect(200, 'GET', '/workflow/tasks/mine')
    check(
      items.some(({ id, status: now }) => id === task.id && now === 'APPROVED'),
      `the task of ${ada.name} is not approved in her list`,
    )
    for (const person of [ada, neighbour]) {
      person.expectOwn('tasks', (await person.expect(200, 'GET', '/workflow/tasks?pageSize=100')).items)
    }
  }
  /** Told to everybody of the tenant who approves, and to nobody else. */
  async ownTask(person) {
    const task = await person.expect(201, 'POST', '/workflow/tasks', { title: 'Another tenant’s' })
    await person.expect(200, 'PATCH', `/workflow/tasks/${task.id}/status`, { status: 'SUBMITTED' })
    await until(`${person.name} is told of a task of the tenant`, () => person.heard(task.id, 'SUBMITTED'))
    await this.ada.expect(404, 'GET', `/workflow/tasks/${task.id}`)
    this.foreignTask = task
  }

  /** Once more what is told to all of the tenant: when it has come, all before it has. Each was told what was theirs, once, and nothing else. */
  async checkHeard() {
    const { ada, grace, neighbour, task, foreignTask } = this
    check(await this.announce('at the end'), `${ada.name} could not tell the tenant anything`)
    for (const person of [ada, grace]) {
      await until(`${person.name} is told what all are told`, () => person.texts().includes('at the end'))
    }
    const told = this.announced.map((text) => `announcement ${text}`)
    const expected = [
      [ada, [...told, `task ${task.id} APPROVED`]],
      [grace, [...told, `task ${task.id} SUBMITTED`]],
      [neighbour, [`task ${foreignTask.id} SUBMITTED`]],
    ]
    for (const [person, all] of expected) {
      const texts = person.listener.events.map(({ type, data }) =>
        type === 'task' ? `task ${data.taskId} ${data.status}` : `${type} ${data.text ?? data.log}`,
      )
      check(
        sameJson(texts.toSorted(byText), all.toSorted(byText)),
        `${person.name} was told ${texts.join(', ')}; it should be ${all.join(', ')}`,
      )
      const announcements = texts.filter((text) => text.startsWith('announcement'))
      check(
        person === neighbour || sameJson(announcements, told),
        `${person.name} was told ${announcements.join(', ')} in this order`,
      )
      const ids = person.listener.events.map(({ id }) => id)
      check(
        new Set(ids).size === ids.length && !ids.includes(undefined),
        `${person.name} was told things by the ids ${ids.join(', ')}`,
      )
    }
  }

  /** Whoever is on the smallest plan is refused at some time, and told for how long; others are not. */
  async reachLimit() {
    for (let requests = 0; requests < MOST_REQUESTS; requests += AT_ONCE) {
      const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => this.neighbour.ask('GET', '/me')))
      const refusal = answers.find(({ status }) => status !== 200)
      if (refusal === undefined) continue
      const { status, headers } = refusal
      check(status === 429, `${AT_ONCE} requests of ${this.neighbour.name} at once: one was answered with ${status}`)
      const missing = ['ratelimit', 'ratelimit-policy', 'retry-after'].filter((name) => !headers.has(name))
      check(missing.length === 0, `a refusal has no ${missing.join(' and no ')}`)
      await this.ada.expect(200, 'GET', '/me')
      return
    }
    throw new Stop(`The journey: ${MOST_REQUESTS} requests of ${this.neighbour.name}, and none was refused`)
  }

  /** The token is over with the answer; what is left of the log-in too, and nothing of any other. */
  async logOut() {
    const { ada, grace } = this
    const elsewhere = new Person(this.gateway, ada.who)
    await elsewhere.logIn()
    await ada.expect(204, 'POST', '/auth/logout')
    for (const path of ['/me', PRODUCTS, '/finance/invoices', '/workflow/tasks']) await ada.expect(401, 'GET', path)
    await this.nobody.expect(401, 'POST', '/auth/refresh', { refreshToken: ada.refreshToken })
    await elsewhere.expect(200, 'GET', '/me')
    await grace.expect(200, 'GET', '/me')
  }

  /** A refresh token that was used twice ends its log-in, for both who have it. */
  async reuseRefreshToken() {
    const thief = new Person(this.gateway, this.grace.who)
    await thief.logIn()
    const stolen = thief.refreshToken
    await thief.refresh()
    await thief.refresh()
    await thief.expect(200, 'GET', '/me')
    await this.nobody.expect(401, 'POST', '/auth/refresh', { refreshToken: stolen })
    await thief.expect(401, 'GET', '/me')
    await this.nobody.expect(401, 'POST', '/auth/refresh', { refreshToken: thief.refreshToken })
    await this.grace.expect(200, 'GET', '/me')
  }

  async end() {
    await Promise.all(this.#listeners.map((listener) => listener.stop()))
  }
}

const byText = (one, other) => one.localeCompare(other)
const numberOf = ({ number }) => Number(/^INV-(\d{8})$/.exec(number ?? '')?.[1])
