/**
 * A user's id as one segment of a key or a channel. Ids may hold anything printable: a colon would be two segments, and a channel with `*` in its
 * name is a pattern, by which a user of that name would hear what is told to everybody else.
 */
export function userSegment(user: string): string {
  // What encodeURIComponent leaves alone beyond letters, digits and -_.~
  return encodeURIComponent(user).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
}
