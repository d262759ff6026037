import { BadRequestException } from '@nestjs/common'

/** Up to where a client has heard both of its logs: the id of the last message of each. */
export interface StreamPlace {
  readonly user: string
  readonly tenant: string
}

/** Milliseconds and a count, as Redis writes them: it takes no number of more than 64 bits. */
const LOG_ID = String.raw`\d{1,15}-\d{1,10}`
const PLACE = new RegExp(`^(${LOG_ID})\\.(${LOG_ID})$`)

/** The `id` of an event: one text for the places in two logs, so a client that comes back with it hears the rest of both. */
export const placeText = ({ user, tenant }: StreamPlace): string => `${user}.${tenant}`

/** @throws BadRequestException it is not one of ours: to begin somewhere else would be to miss something in silence */
export function placeOf(text: string): StreamPlace {
  const [, user, tenant] = PLACE.exec(text) ?? []
  if (user === undefined || tenant === undefined) {
    throw new BadRequestException('The header Last-Event-ID must be the id of an event of this stream')
  }
  return { user, tenant }
}
